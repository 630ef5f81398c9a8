"""Tests of the masks: aligned with the image, the largest subtype, files only where blood is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build.synthetic.acquisition import Scanner, draw_acquisition
from model_build.synthetic.geometry import Field, head_grid
from model_build.synthetic.masks import blood_mask, read_mask, write_mask
from tests.model_build.synthetic.level_head import level_geometry

_GRID = head_grid(level_geometry(slices=2, offset_mm=(7.0, -4.0), fov_mm=210.0))
_SHAPE = (_GRID.shape[1], _GRID.shape[2])
_SCANNER = Scanner(draw_acquisition(np.random.default_rng(0), _GRID.geometry), _GRID)


def _block(rows: slice, columns: slice, fraction: float = 1.0) -> Field:
    plane = np.zeros(_SHAPE, dtype=np.float32)
    plane[rows, columns] = fraction
    return plane


def test_mask_lies_where_the_image_is_half_blood() -> None:
    """Blood of 1000 HU in water: the mask is the part of the image at 500 HU or more."""
    blood = _block(slice(60, 83), slice(40, 59))
    image = _SCANNER.project(1000.0 * blood)
    mask = blood_mask(_SCANNER.project, {2: blood})
    assert mask.shape == (512, 512)
    assert np.array_equal(mask == 3, image >= 500.0)
    assert set(np.unique(mask)) == {0, 3}
    # 23 x 19 mm^2, to half a pixel along its border.
    area = float((mask > 0).sum()) * _GRID.geometry.pixel_mm**2
    assert area == pytest.approx(23 * 19, abs=42 * _GRID.geometry.pixel_mm)


def test_largest_fraction_names_the_subtype() -> None:
    """Where two subtypes share a pixel the larger wins, and their sum decides if it is blood."""
    place = (slice(80, 100), slice(80, 100))
    mask = blood_mask(_SCANNER.project, {0: _block(*place, 0.25), 4: _block(*place, 0.35)})
    assert set(np.unique(mask)) == {0, 5}
    assert not blood_mask(_SCANNER.project, {0: _block(*place, 0.25), 4: _block(*place, 0.2)}).any()


def test_no_blood_is_an_empty_mask() -> None:
    """A slice without a subtype has zeros only, also off the grid."""
    assert not blood_mask(_SCANNER.project, {}).any()


def test_file_returns_the_mask_as_grey_values(tmp_path: Path) -> None:
    """An 8-bit greyscale PNG of 512 x 512 with the indices as they are."""
    mask = blood_mask(_SCANNER.project, {1: _block(slice(50, 70), slice(50, 70))})
    assert write_mask(tmp_path / "a.png", mask)
    with Image.open(tmp_path / "a.png") as image:
        assert (image.mode, image.size, image.getextrema()) == ("L", (512, 512), (0, 2))
    assert np.array_equal(read_mask(tmp_path / "a.png"), mask)


def test_empty_mask_leaves_no_file(tmp_path: Path) -> None:
    """A file of an earlier recipe goes, and a missing file reads as no blood."""
    path = tmp_path / "a.png"
    write_mask(path, np.ones((512, 512), dtype=np.uint8))
    assert not write_mask(path, np.zeros((512, 512), dtype=np.uint8))
    assert not path.exists()
    assert not read_mask(path).any()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((256, 256), np.uint8),
        np.full((512, 512), 6, np.uint8),
        np.zeros((512, 512, 3), np.uint8),
    ],
)
def test_other_images_are_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    """Another size, a value above 5 or colour is an error."""
    Image.fromarray(wrong).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="512 x 512"):
        read_mask(tmp_path / "a.png")
