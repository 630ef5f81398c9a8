"""Reading: slices at their places, gaps closed from the end, blank slices link nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_build.adapters.reading import SLICE_BYTES, Row, close_gaps, pixel_hash
from model_build.adapters.workers import spread


def row(item: int, refused: str = "") -> Row:
    """A row of which only the place matters."""
    return Row(item, "p", "s", None, (40.0, 80.0), refused, (), "")


def raw(path: Path, values: list[int]) -> None:
    """A raw file of slices that each hold one value."""
    path.write_bytes(b"".join(bytes([value]) * SLICE_BYTES for value in values))


def test_gaps_are_filled_from_the_end_and_nothing_else_moves(tmp_path: Path) -> None:
    """Slices 1, 2 and 5 of seven are refused: 6 and 4 move, four remain."""
    path = tmp_path / "v"
    raw(path, [10, 0, 0, 13, 14, 0, 16])
    rows = [row(place, "x" if place in (1, 2, 5) else "") for place in range(7)]
    kept = close_gaps(rows, path)
    values = np.fromfile(path, np.uint8).reshape(-1, SLICE_BYTES)[:, 0]
    assert [10 + each.item for each in kept] == values.tolist()
    assert sorted(each.item for each in kept) == [0, 3, 4, 6]
    assert (kept[0].item, kept[3].item) == (0, 3)


def test_without_refusals_nothing_moves_and_with_all_nothing_is_left(tmp_path: Path) -> None:
    """The two ends."""
    path = tmp_path / "v"
    raw(path, [1, 2])
    assert [each.item for each in close_gaps([row(0), row(1)], path)] == [0, 1]
    assert close_gaps([row(0, "x"), row(1, "x")], path) == []
    assert path.stat().st_size == 0


def test_a_file_without_its_last_slices_is_as_long_as_what_is_kept(tmp_path: Path) -> None:
    """Refused slices at the end were never written."""
    path = tmp_path / "v"
    raw(path, [1])
    assert len(close_gaps([row(0), row(1, "x")], path)) == 1
    assert path.stat().st_size == SLICE_BYTES


def test_blank_slices_have_no_hash() -> None:
    """Air above the head would link every patient."""
    blank = np.full((4, 4), -1000, np.int16)
    other = blank.copy()
    other[0, 0] = 3
    assert pixel_hash(blank) == ""
    assert pixel_hash(other) == pixel_hash(other.copy()) != ""


def test_work_is_spread_in_order() -> None:
    """Two processes answer as one does."""
    tasks = list(range(-5, 5))
    assert list(spread(abs, tasks, 2, chunk=2)) == list(spread(abs, tasks, 1)) == [*map(abs, tasks)]
