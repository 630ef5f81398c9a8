"""Tests of the DICOM files: written, read back strictly, compared with what went in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom import config
from pydicom.uid import UID

from model_build.synthetic.acquisition import draw_acquisition
from model_build.synthetic.dicom_writer import SeriesHeader, make_uid, write_slice
from model_build.synthetic.storage import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    RLE,
    SIGNED_1024,
    UNSIGNED_1024,
    Form,
    Storage,
)
from tests.factories import head_hu
from tests.model_build.synthetic.level_head import level_geometry

_STORAGE = Storage(form=SIGNED_1024)


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any invalid value is an error, on writing and on reading."""
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.RAISE)
    monkeypatch.setattr(config.settings, "_writing_validation_mode", config.RAISE)


def _header(storage: Storage = _STORAGE) -> SeriesHeader:
    geometry = level_geometry(tilt_deg=12.5)
    scan = draw_acquisition(np.random.default_rng(0), geometry)
    return SeriesHeader(0xABC, "7/3", 52, geometry, scan, storage)


def _image() -> npt.NDArray[np.int16]:
    values = np.linspace(-1024, 3071, 512 * 512).round().astype(np.int16)
    return values.reshape(512, 512)


def _written(tmp_path: Path, storage: Storage = _STORAGE, index: int = 4) -> pydicom.Dataset:
    write_slice(tmp_path / "a.dcm", _header(storage), index, _image())
    return pydicom.dcmread(tmp_path / "a.dcm")


@pytest.mark.parametrize("syntax", [DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, RLE])
@pytest.mark.parametrize("form", [SIGNED_1024, UNSIGNED_1024])
def test_hu_survive_every_syntax(tmp_path: Path, syntax: str, form: Form) -> None:
    """Read by pydicom, stored value x slope + intercept is the image."""
    dataset = _written(tmp_path, Storage(form=form, syntax=syntax))
    assert dataset.file_meta.TransferSyntaxUID == syntax
    hu = dataset.pixel_array.astype(int) * int(dataset.RescaleSlope) + dataset.RescaleIntercept
    assert np.array_equal(hu, _image())
    assert dataset.PixelRepresentation == int(form.signed)
    assert (dataset.BitsStored, dataset.HighBit) == (form.bits, form.bits - 1)


def test_default_of_a_set_is_half_the_size(tmp_path: Path) -> None:
    """Deflated files of a head take less than 60 % of native ones."""
    for name, syntax in (("a", DEFLATED), ("b", EXPLICIT_LITTLE)):
        header = replace(_header(), storage=Storage(syntax=syntax))
        write_slice(tmp_path / name, header, 0, head_hu())
    small, native = ((tmp_path / name).stat().st_size for name in "ab")
    assert small < 0.6 * native


def test_deflated_files_are_even(tmp_path: Path) -> None:
    """PS3.5 A.5 pads the stream by a byte where its length is odd."""
    header = replace(_header(), storage=Storage(syntax=DEFLATED))
    for seed in range(8):
        write_slice(tmp_path / "a", header, 0, head_hu(seed=seed))
        assert (tmp_path / "a").stat().st_size % 2 == 0


def test_raw_padding_is_named_and_stored(tmp_path: Path) -> None:
    """-2000 in the corner of signed data, and in the padding element; the middle is untouched."""
    dataset = _written(tmp_path, Storage(form=SIGNED_1024, padding="raw"))
    assert dataset.PixelPaddingValue == -2000
    assert dataset.pixel_array[0, 0] == -2000
    assert np.array_equal(dataset.pixel_array[256] - 1024, _image()[256])


def test_inverted_display_and_agent_are_attributes_alone(tmp_path: Path) -> None:
    """MONOCHROME1 and a named absence of contrast leave the values as they are."""
    plain = _written(tmp_path)
    dataset = _written(tmp_path, replace(_STORAGE, monochrome1=True, agent="NONE"))
    assert dataset.PhotometricInterpretation == "MONOCHROME1"
    assert dataset.ContrastBolusAgent == "NONE"
    assert "ContrastBolusAgent" not in plain
    assert dataset.PixelData == plain.PixelData


def test_window_tags_are_written_as_drawn(tmp_path: Path) -> None:
    """Multi-valued windows stay multi-valued; an empty draw leaves the elements out."""
    many = _written(tmp_path, replace(_STORAGE, centers=("40", "600"), widths=("80", "2800")))
    assert [float(v) for v in many.WindowCenter] == [40.0, 600.0]
    none = _written(tmp_path, replace(_STORAGE, centers=(), widths=()))
    assert "WindowCenter" not in none
    assert "WindowWidth" not in none


def test_file_says_that_it_is_synthetic(tmp_path: Path) -> None:
    """Name, comment and manufacturer name the phantom; the object is an original axial CT."""
    dataset = _written(tmp_path)
    assert dataset.PatientName == "SYNTHETIC^PHANTOM"
    assert dataset.ImageComments == "Synthetic phantom, not a patient"
    assert dataset.Manufacturer == "ICH Serve phantom"
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert dataset.PatientAge == "052Y"
    assert dataset.SOPClassUID.name == "CT Image Storage"


def test_plane_of_the_file_is_the_plane_of_the_scan(tmp_path: Path) -> None:
    """Orientation, position and spacing read back as the geometry gives them."""
    dataset, geometry = _written(tmp_path, index=4), _header().geometry
    assert list(dataset.ImageOrientationPatient) == pytest.approx(geometry.orientation(), abs=1e-5)
    assert list(dataset.ImagePositionPatient) == pytest.approx(geometry.position(4), abs=1e-3)
    assert list(dataset.PixelSpacing) == [0.5, 0.5]
    assert dataset.GantryDetectorTilt == 12.5
    assert dataset.InstanceNumber == 5


def test_series_shares_its_uids_but_not_the_instance(tmp_path: Path) -> None:
    """Two slices agree in study, series and frame and differ in the instance."""
    one, two = _written(tmp_path, index=0), _written(tmp_path, index=1)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert one[keyword].value == two[keyword].value
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID


def test_uids_are_valid_and_repeatable() -> None:
    """A key always gives the same UID under 2.25, no two keys the same."""
    uids = {make_uid(f"{k}") for k in range(500)}
    assert len(uids) == 500
    assert make_uid("4") in uids
    assert all(UID(uid).is_valid and uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)
