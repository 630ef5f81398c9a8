"""Wrong window: changes by hand."""

from __future__ import annotations

import numpy as np
import pytest

from model_build import wrong_window


def test_changes_by_hand() -> None:
    """One of two slices moves by .3 and crosses its threshold, in the first label only."""
    own = np.full((2, 6), 0.4)
    bizarre = own.copy()
    bizarre[1, 0] = 0.7
    table = wrong_window.table(own, bizarre, (0.5,) * 6)
    moved, still = table.row("epidural"), table.row("any")
    values = [moved.figures[name].value for name in table.columns]
    assert values == [pytest.approx(0.3), pytest.approx(0.15), 0.5]
    assert [still.figures[name].value for name in table.columns] == [0.0, 0.0, 0.0]
    assert (moved.slices, moved.threshold) == (2, 0.5)


@pytest.mark.parametrize("shapes", [((2, 6), (3, 6)), ((0, 6), (0, 6)), ((2, 5), (2, 5))])
def test_what_does_not_fit_is_refused(shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Other slices, none, or other labels."""
    with pytest.raises(ValueError, match="same slices"):
        wrong_window.table(np.zeros(shapes[0]), np.zeros(shapes[1]), (0.5,) * 6)
