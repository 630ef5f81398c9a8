"""Tests of the tables of the report as values."""

from __future__ import annotations

import pytest

from model_build.evaluation_table import Estimate
from model_build.published import HEADING
from model_build.report.grid import Cell, Grid, Line, claimed, interval, measured, shown


@pytest.mark.parametrize(
    ("cell", "kind", "text"),
    [
        (Estimate(0.9387), "percent", "93.9"),
        (Estimate(None), "percent", "undefined"),
        (None, "percent", "–"),
        (93.87, "claimed", "93.87"),
        (752_534, "whole", "752,534"),
        ("not stated", "percent", "not stated"),
        (0, "whole", "0"),
    ],
)
def test_a_cell_is_shown_by_its_kind(cell: Cell, kind: str, text: str) -> None:
    """Undefined, absent and zero are three different things."""
    assert shown(cell, kind) == text


def test_intervals_and_their_mark() -> None:
    """Both ends in the unit of the value; an asterisk for Clopper-Pearson; else nothing."""
    assert interval(Estimate(0.5, 0.25, 0.75, "patient bootstrap"), "percent") == "25.0–75.0"
    assert interval(Estimate(1.0, 0.8, 1.0, "Clopper-Pearson"), "three") == "0.800–1.000*"
    assert interval(Estimate(0.5), "percent") == interval(93.0, "claimed") == ""


def test_claimed_and_measured_columns_stay_apart() -> None:
    """A claimed group says so in its heading, and every column knows its side."""
    grid = Grid("T", (claimed(["a", "b"], study="S"), measured(["c"])), (Line("x", (1, 2, 3)),))
    assert grid.claimed_columns == (True, True, False)
    assert grid.groups[0].heading == f"S: {HEADING}"
    assert HEADING not in grid.groups[1].heading


def test_a_row_that_does_not_fit_is_refused() -> None:
    """One cell too few would move every figure below the wrong heading."""
    with pytest.raises(ValueError, match="does not fit"):
        Grid("T", (measured(["a", "b"]),), (Line("x", (1,)),))
