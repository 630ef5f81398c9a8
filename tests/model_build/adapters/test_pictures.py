"""Pictures: grey values stay as they are, transparency lies on black, masks keep their area."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build.adapters.pictures import (
    mask_of,
    read_grey,
    square_voxels,
    stretched_voxels,
    without_border,
    write_mask,
)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_a_grey_picture_reads_the_same_in_every_mode(tmp_path: Path, mode: str) -> None:
    """RGB(A) pictures of the 200-image set are grey."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).convert(mode).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_grey(tmp_path / "x.png"), grey)


def test_transparent_pixels_are_black(tmp_path: Path) -> None:
    """White under full transparency shows nothing."""
    Image.new("RGBA", (4, 4), (255, 255, 255, 0)).save(tmp_path / "x.png")
    assert not read_grey(tmp_path / "x.png").any()


def test_a_border_of_five_turns_650_into_640() -> None:
    """As the authors of CT-ICH did."""
    assert without_border(np.zeros((650, 650), np.uint8), 5).shape == (640, 640)


def test_grey_values_are_kept_when_resized() -> None:
    """A constant picture stays constant, square or not, larger or smaller."""
    for size in (640, 128):
        assert set(np.unique(square_voxels(np.full((size, size), 93, np.uint8)))) == {93}
    assert stretched_voxels(np.full((100, 300), 93, np.uint8)).shape == (512, 512)


def test_a_mask_keeps_its_place_and_value(tmp_path: Path) -> None:
    """A quarter of the area before and after, written as plain 8-bit PNG."""
    inside = np.zeros((640, 640), np.bool_)
    inside[:320, 320:] = True
    mask = mask_of(inside, 3)
    write_mask(tmp_path / "m.png", mask)
    read = np.asarray(Image.open(tmp_path / "m.png"))
    assert set(np.unique(read)) == {0, 3}
    assert (read[:256, 256:] == 3).all()
    assert (read == 3).sum() == 512 * 512 // 4
