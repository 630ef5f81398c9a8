"""Segmentation data: Hounsfield sets and the JPEG release become the same 8-bit slices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build.adapters.ct_ich_jpeg import CtIchJpegSource
from model_build.adapters.records import SourceFacts
from model_build.companions.segmentation_data import (
    brain_window,
    from_pictures,
    from_slices,
    reduced,
)
from model_build.slice_set import SliceSet

OWN = 64


def slice_set(masks: Path | None) -> SliceSet:
    """Three slices: the first two with blood, the second not usable."""
    labels = np.zeros((3, 6), np.uint8)
    labels[:2, [4, 5]] = 1
    voxels = np.full((3, OWN, OWN), 40, np.int16)
    voxels[0, :16, :16] = 70
    return SliceSet(
        voxels=voxels,
        windows=np.full((3, 2), 80, np.float32),
        labels=labels,
        patients=("p", "q", "r"),
        usable=np.array([True, False, True]),
        refused={},
        names=("a", "b", "c"),
        masks=None if masks is None else str(masks),
    )


def write_mask(folder: Path, name: str) -> None:
    """A subdural mask over the corner of 16 x 16 pixels, and one pixel apart from it."""
    mask = np.zeros((OWN, OWN), np.uint8)
    mask[:16, :16], mask[40, 40] = 5, 5
    Image.fromarray(mask).save(folder / f"{name}.png")


def test_usable_slices_come_windowed_and_reduced_with_their_masks(tmp_path: Path) -> None:
    """40 HU is mid grey in the window 40/120; a mask pixel needs half of its block."""
    write_mask(tmp_path, "a")
    data = from_slices(slice_set(tmp_path), 32)
    assert (data.names, data.patients, data.size) == (("a", "c"), ("p", "r"), 32)
    assert data.images[1, 0, 0] == 128
    assert data.images[0, 0, 0] == round(255 * 90 / 120)
    assert int(data.masks[0].sum()) == 64
    assert data.masks[0, :8, :8].all()
    assert not data.masks[1].any()
    assert data.labels[:, 4].tolist() == [1, 0]
    assert from_slices(slice_set(tmp_path), 32, np.array([1, 2])).names == ("c",)


def test_grey_values_are_taken_as_they_are(tmp_path: Path) -> None:
    """A set without Hounsfield units is in its brain window already."""
    grey = replace(slice_set(tmp_path), facts=SourceFacts(hounsfield=False))
    assert from_slices(grey, OWN).images[1, 0, 0] == 40


def test_hounsfield_units_are_averaged_before_windowing() -> None:
    """-2000 and 80 HU average to -960 HU, which is black, not a quarter of grey."""
    block = np.array([[-2000, 80], [80, -2000]], np.int16)
    assert brain_window(reduced(block, 1)).tolist() == [[0]]
    assert brain_window(np.array([-20.0, 40.0, 100.0, 500.0])).tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize("size", [48, 128, 0])
def test_a_size_that_is_no_whole_part_is_refused(size: int) -> None:
    """Neither a fraction nor more than there is."""
    with pytest.raises(ValueError, match="no whole part"):
        reduced(np.zeros((64, 64)), size)


def test_a_set_without_masks_or_slice_labels_is_refused(tmp_path: Path) -> None:
    """No mask folder, or labels of whole scans."""
    with pytest.raises(ValueError, match="no lesion masks"):
        from_slices(slice_set(None), 32)
    scans = replace(slice_set(tmp_path), facts=SourceFacts(label_level="scan"))
    with pytest.raises(ValueError, match="does not label slices"):
        from_slices(scans, 32)


def jpeg_release(root: Path) -> CtIchJpegSource:
    """One patient with a bleeding slice and a clean one, in the layout of v1.0.0."""
    brain = root / "Patients_CT" / "049" / "brain"
    brain.mkdir(parents=True)
    (root / "Patients_CT" / "049" / "bone").mkdir()
    picture = np.full((650, 650), 100, np.uint8)
    picture[:5], picture[-5:], picture[:, :5], picture[:, -5:] = 255, 255, 255, 255
    mask = np.zeros((650, 650), np.uint8)
    mask[205:305, 105:205] = 255
    for number in (1, 2):
        Image.fromarray(picture).save(brain / f"{number}.jpg", quality=95)
    Image.fromarray(mask).save(brain / "1_HGE_Seg.jpg", quality=95)
    header = (
        "PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,"
        "Subdural,No_Hemorrhage,Fracture_Yes_No"
    )
    rows = ["49,1,0,1,0,0,0,0,0", "49,2,0,0,0,0,0,1,0"]
    text = "\n".join([header, *rows]) + "\n"
    (root / "hemorrhage_diagnosis.csv").write_text(text, encoding="utf-8")
    return CtIchJpegSource(root)


def test_the_jpeg_release_loses_its_border_and_keeps_its_masks(tmp_path: Path) -> None:
    """640 pixels without the frame; the mask lies where it was drawn, less five pixels."""
    data = from_pictures(jpeg_release(tmp_path))
    assert data.images.shape == (2, 640, 640)
    assert abs(int(data.images.max()) - 100) <= 12  # JPEG rings beside the bright frame
    rows, columns = np.nonzero(data.masks[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (200, 299, 100, 199)
    assert not data.masks[1].any()
    assert data.labels.tolist() == [[0, 1, 0, 0, 0, 1], [0] * 6]
    assert len(set(data.patients)) == 1
    assert "49" not in data.patients[0][:2]
    assert int(from_pictures(CtIchJpegSource(tmp_path), 160).masks[0].sum()) == 625
