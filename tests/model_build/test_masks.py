"""Masks: read as written, refused at another size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build import masks


def test_a_mask_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Values are subtype numbers, not grey levels; without a file there is no lesion."""
    mask = np.zeros((16, 16), dtype=np.uint8)
    mask[3, 4] = 5
    Image.fromarray(mask).save(tmp_path / "one.png")
    assert np.array_equal(masks.read(str(tmp_path), "one", 16), mask)
    assert not masks.read(str(tmp_path), "two", 16).any()


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    """It would lie beside its lesion."""
    Image.fromarray(np.zeros((8, 16), dtype=np.uint8)).save(tmp_path / "one.png")
    with pytest.raises(ValueError, match="size"):
        masks.read(str(tmp_path), "one", 16)
