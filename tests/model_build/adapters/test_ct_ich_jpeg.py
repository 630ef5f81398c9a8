"""CT-ICH pictures: 650 pixels less a border, thresholded masks, gaps counted, no HU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build.adapters.ct_ich_jpeg import CtIchJpegSource
from tests.model_build.adapters.test_ct_ich_labels import HEADER


def write(home: Path) -> CtIchJpegSource:
    """Two slices of patient 84, of which 36 has no bone image, and one label without a picture."""
    rows = ["84,35,0,0,0,0,0,1,0", "84,36,0,1,0,0,0,0,0", "84,37,0,0,0,0,0,1,0"]
    table = home / "hemorrhage_diagnosis.csv"
    table.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    brain, bone = (home / "Patients_CT" / "084" / name for name in ("brain", "bone"))
    for folder in (brain, bone):
        folder.mkdir(parents=True)
    grey = np.zeros((650, 650), np.uint8)
    grey[:, 325:] = 200
    for number in (35, 36):
        Image.fromarray(grey).save(brain / f"{number}.jpg", quality=95)
    Image.fromarray(grey).save(bone / "35.jpg")
    drawn = np.where(grey > 0, 255, 60).astype(np.uint8)  # 60: what JPEG may leave outside
    Image.fromarray(drawn).save(brain / "36_HGE_Seg.jpg", quality=60)
    return CtIchJpegSource(home)


def test_pictures_keep_their_grey_values(tmp_path: Path) -> None:
    """The brain window as it is, and a default window that shows it so."""
    source = write(tmp_path)
    negative, positive = source.read(source.listing().items)
    assert positive.voxels is not None
    assert positive.voxels[256, 400] == pytest.approx(200, abs=2)
    assert positive.window == (127.5, 255.0)
    assert positive.item.labels == (0, 1, 0, 0, 0, 1)
    assert negative.mask is None
    assert positive.mask is not None
    assert (positive.mask[:, 260:] == 2).all()
    assert not positive.mask[:, :250].any()
    assert not source.facts.hounsfield


def test_what_the_release_lacks_is_counted(tmp_path: Path) -> None:
    """Patient 84 slice 36 has a brain and no bone image."""
    assert write(tmp_path).listing().corrections == {
        "labelled_without_file": 1,
        "bone_image_missing": 1,
    }


def test_masks_that_do_not_match_the_labels_are_counted(tmp_path: Path) -> None:
    """A positive slice without a mask, a negative one with: its mask is not used."""
    source = write(tmp_path)
    brain = tmp_path / "Patients_CT" / "084" / "brain"
    (brain / "36_HGE_Seg.jpg").rename(brain / "35_HGE_Seg.jpg")
    listing = source.listing()
    assert listing.corrections["positive_without_mask"] == 1
    assert listing.corrections["mask_on_negative_slice"] == 1
    assert all(item.mask is None for item in listing.items)


def test_a_broken_picture_is_refused(tmp_path: Path) -> None:
    """Also one that is not square."""
    source = write(tmp_path)
    brain = tmp_path / "Patients_CT" / "084" / "brain"
    (brain / "35.jpg").write_bytes(b"no picture")
    Image.new("L", (650, 600)).save(brain / "36.jpg")
    found = [record.refused for record in source.read(source.listing().items)]
    assert found == ["picture_corrupt", "picture_shape"]
