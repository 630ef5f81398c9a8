"""Neighbours: found by position along the normal, never across series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_build import neighbours
from tests.model_build.phantom_set import slice_set


def test_positions_decide_and_not_the_order_of_the_files() -> None:
    """Four slices of one series lie as 3, 1, 0, 2."""
    source = replace(slice_set(4), order=np.array([2.0, 1.0, 3.0, 0.0], dtype=np.float32))
    assert neighbours.of(source).tolist() == [[1, 0, 2], [3, 1, 0], [0, 2, 2], [3, 3, 1]]
    assert [rows.tolist() for rows in neighbours.series_rows(source)] == [[3, 1, 0, 2]]


def test_series_are_kept_apart() -> None:
    """Eight slices of two series: each has its own first and last."""
    found = neighbours.of(slice_set(8))
    assert found[3].tolist() == [2, 3, 3]
    assert found[4].tolist() == [4, 4, 5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"series": ()}, "does not say how"),
        ({"order": np.full(4, np.nan, dtype=np.float32)}, "no position"),
    ],
    ids=["no series", "no position"],
)
def test_unknown_places_are_refused(change: dict[str, object], message: str) -> None:
    """A neighbour that is guessed would be another patient's slice one day."""
    with pytest.raises(ValueError, match=message):
        neighbours.of(replace(slice_set(4), **change))
