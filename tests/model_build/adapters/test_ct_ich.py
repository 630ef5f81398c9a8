"""CT-ICH volumes: slice numbers from 1, HU, masks, patients without a scan, broken volumes."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

from model_build.adapters.ct_ich import CtIchSource
from model_build.adapters.records import Record
from tests.factories import head_hu
from tests.model_build.adapters.test_ct_ich_labels import HEADER

LPS = np.diag([-0.5, -0.5, 5.0, 1.0])  # the voxel axes of an array in DICOM order


def head() -> npt.NDArray[np.int16]:
    """Rows, columns, three slices of a small head with blood at the front left of the second."""
    hu = np.stack([head_hu(128, seed) for seed in range(3)], axis=-1)
    hu[40:60, 70:90, 1] = 70
    return hu


def save(path: Path, shown: npt.NDArray[np.generic]) -> None:
    """Write rows, columns, slices as NIfTI (columns, rows, slices)."""
    path.parent.mkdir(exist_ok=True)
    image = nibabel.Nifti1Image(shown.transpose(1, 0, 2), LPS)  # type: ignore[attr-defined]
    nibabel.save(image, path)  # type: ignore[attr-defined]


def write(home: Path, hu: npt.NDArray[np.int16], mask: npt.NDArray[np.uint8]) -> CtIchSource:
    """The release with one scan; patient 50 has labels alone."""
    rows = ["49,1,0,0,0,0,0,1,0", "49,2,0,0,0,1,0,0,0", "49,3,0,0,0,0,0,1,0", "50,1,0,0,0,0,0,1,0"]
    table = home / "hemorrhage_diagnosis_raw_ct.csv"
    table.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    save(home / "ct_scans" / "049.nii", hu)
    save(home / "masks" / "049.nii", mask)
    return CtIchSource(home)


def mask_of(hu: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """Where the blood is."""
    return (hu == 70).astype(np.uint8) * 255


def records(source: CtIchSource) -> list[Record]:
    """Every record of the one volume."""
    return list(source.read(source.listing().items))


def test_slice_numbers_count_from_one(tmp_path: Path) -> None:
    """Slice 2 of the table is the second of the volume, with its label, its HU and its mask."""
    hu = head()
    first, second, third = records(write(tmp_path, hu, mask_of(hu)))
    assert second.item.labels == (1, 0, 0, 0, 0, 1)
    assert second.voxels is not None
    assert second.mask is not None
    assert first.mask is None
    assert (second.voxels[180:220, 300:340] == 70).all()  # 40:60, 70:90 at four times the matrix
    assert set(np.unique(second.mask)) == {0, 1}
    assert (second.mask[168:232, 288:352] == 1).all()
    assert [first.order, second.order, third.order] == [0.0, 5.0, 10.0]
    assert second.window == (40.0, 80.0)


def test_a_patient_without_a_scan_is_counted(tmp_path: Path) -> None:
    """The paper has 82 subjects, the release 75."""
    hu = head()
    listing = write(tmp_path, hu, mask_of(hu)).listing()
    assert len(listing.items) == 3
    assert listing.corrections == {"labelled_without_file": 1}


def test_names_and_keys_hold_no_number_of_a_patient(tmp_path: Path) -> None:
    """Salted hashes; the same patient on every slice."""
    hu = head()
    found = records(write(tmp_path, hu, mask_of(hu)))
    assert len({record.patient_key for record in found}) == 1
    assert found[0].item.name[:2] != "49"
    assert found[0].item.name.endswith("_001")


def test_padding_and_floats_become_whole_hounsfield_units(tmp_path: Path) -> None:
    """-3024 outside the circle is air, 31.5 rounds to the even 32."""
    hu = head().astype(np.float32)
    hu[:8], hu[64, 64] = -3024, 31.5
    found = records(write(tmp_path, hu, mask_of(head())))
    assert found[0].voxels is not None
    assert found[0].voxels.min() == -1000
    assert found[0].corrections == ("fix_padding",)


def test_a_turned_mask_refuses_the_scan(tmp_path: Path) -> None:
    """Nothing is trained on a mask that lies elsewhere."""
    hu = head()
    for turned in (mask_of(hu)[::-1, ::-1], mask_of(hu)[:, ::-1], np.rot90(mask_of(hu))):
        found = records(write(tmp_path, hu, turned))
        assert {record.refused for record in found} == {"mask_orientation"}


def test_old_blood_darker_than_brain_is_no_turned_mask(tmp_path: Path) -> None:
    """A chronic collection of 20 HU against 32 HU of brain on the other side."""
    hu = head()
    drawn = mask_of(hu)
    hu[hu == 70] = 20
    assert {record.refused for record in records(write(tmp_path, hu, drawn))} == {""}


def test_a_slice_beyond_the_volume_is_refused(tmp_path: Path) -> None:
    """The table names three, the volume holds two."""
    hu = head()[:, :, :2]
    found = records(write(tmp_path, hu, mask_of(hu)))
    assert [record.refused for record in found] == ["", "", "slice_out_of_range"]


def test_a_set_without_volumes_is_refused(tmp_path: Path) -> None:
    """Labels alone are no data."""
    source = write(tmp_path, head(), mask_of(head()))
    (tmp_path / "ct_scans" / "049.nii").unlink()
    with pytest.raises(FileNotFoundError):
        source.listing()
