"""Tests of the rise of brain towards the skull on drawn heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model_build.synthetic.rise import median_rise, rise_beside, rise_of


def _head(rise_hu: float, radius_px: float = 170.0) -> npt.NDArray[np.int16]:
    """A round head: bone of 15 px, brain of 30 HU that brightens over 40 px below it."""
    y, x = np.mgrid[:512, :512] - 255.5
    depth = radius_px - np.hypot(x, y)
    brain = 30.0 + rise_hu * (depth < 20)
    hu = np.where(depth >= 0, brain, np.where(depth > -15, 1000.0, -1000.0))
    return hu.astype(np.int16)


@pytest.mark.parametrize("rise_hu", [0.0, 9.0])
def test_rise_is_what_was_drawn(rise_hu: float) -> None:
    """An even head has none; a bright layer under the skull is its difference to the middle."""
    assert rise_of(_head(rise_hu)) == pytest.approx(rise_hu, abs=0.5)


def test_slices_without_a_cavity_have_none() -> None:
    """Air, an open skull and a small cavity near the vertex say nothing."""
    head = _head(5.0)
    opened = head.copy()
    opened[:256, 200:300] = 30
    for hu in (np.full_like(head, -1000), opened, _head(5.0, radius_px=80.0)):
        assert rise_of(hu) is None
    assert median_rise([]) is None
    assert median_rise([np.full_like(head, -1000), head, _head(9.0)]) == pytest.approx(7.0, abs=0.5)


def test_files_that_are_no_slice_are_left_out(tmp_path: Path) -> None:
    """A folder without a readable slice has no rise."""
    (tmp_path / "note.txt").write_text("nothing", encoding="ascii")
    assert rise_beside(tmp_path) is None
