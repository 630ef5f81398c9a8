"""Tests of the papers' tables beside ours."""

from __future__ import annotations

import pytest

from model_build import published
from model_build.evaluation_table import Estimate
from model_build.report import claims
from model_build.report.grid import NOT_BUILT, Grid
from model_build.report.run_folder import Run


@pytest.fixture
def tables(runs: tuple[Run, ...]) -> dict[str, Grid]:
    """The tables of the papers by title."""
    found = claims.paper_tables({run.network: run for run in runs})
    return {grid.title: grid for grid in found}


def line(grid: Grid, start: str) -> tuple[object, ...]:
    """The cells of the row whose name begins so."""
    (found,) = [one.cells for one in grid.lines if one.name.startswith(start)]
    return found


def test_every_table_has_a_claimed_and_a_measured_side(tables: dict[str, Grid]) -> None:
    """No column is both, no table has one side only."""
    assert len(tables) == 6
    for grid in tables.values():
        assert {True, False} == set(grid.claimed_columns)
        for group in grid.groups:
            assert (published.HEADING in group.heading) is group.claimed


def test_our_figures_stand_in_measured_columns_only(
    tables: dict[str, Grid], runs: tuple[Run, ...]
) -> None:
    """Table 7: the Conv-LSTM row holds the paper's rates, then ours at two prevalences."""
    cells = line(tables["Table 7: systems (%)"], "Conv-LSTM")
    assert cells[:4] == (93.87, 96.45, 95.21, 95.14)
    assert cells[4] == runs[0].figure("at_half", "macro of 6", "sensitivity")
    assert cells[8] == runs[0].figure(claims.HALF_POSITIVE, "macro of 6", "sensitivity")


def test_a_system_without_a_network_of_ours_says_why(tables: dict[str, Grid]) -> None:
    """Not built and not trained are told apart."""
    grid = tables["Table 7: systems (%)"]
    assert line(grid, "SVM")[4] == NOT_BUILT
    assert line(grid, "ResNeXt")[4] == claims.NOT_TRAINED


def test_a_network_that_no_paper_names_has_no_claims(tables: dict[str, Grid]) -> None:
    """The row of window_series is empty on the claimed side."""
    assert line(tables["Table 7: systems (%)"], "window_series")[:4] == (None,) * 4


def test_twenty_images_come_with_their_interval(tables: dict[str, Grid]) -> None:
    """20 of 20 right proves 83.2 %; studies of more images get no such column filled."""
    grid = tables["Companion studies (%)"]
    assert line(grid, "Anjum & Oberoi 2022, BHCNet")[5] == "83.2–100.0"
    assert line(grid, "Kumar 2021, CNN")[5] is None


def test_segmentation_beside_the_published_dice() -> None:
    """The table of overlap beside the claims; without a result the table says not trained."""
    figures = {
        name: {"value": 0.5, "low": 0.4, "high": 0.6, "method": ""} for name in claims.OVERLAP
    }
    result = {"overlap": {"rows": [{"name": "any", "figures": figures}]}}
    assert line(claims.segmentation(result), "any") == (0.31, *(Estimate(0.5, 0.4, 0.6),) * 4)
    assert line(claims.segmentation(None), "any")[:2] == (0.31, claims.NOT_TRAINED)
    with pytest.raises(ValueError, match="no table of overlap"):
        claims.segmentation({"dice": 0.5})
