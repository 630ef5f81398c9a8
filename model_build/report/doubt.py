"""Doubt: abstention, the out-of-distribution gate and the use of windows, as tables of the report.

Every network has a line where its evaluation has the table; evaluations older than it have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_build import abstention, occlusion, outliers, wrong_window
from model_build.evaluation_table import SHARES, TITLES, Estimate
from model_build.report.grid import MEASURED, Cell, Column, Grid, Group, Line
from model_build.report.run_folder import Run

GATES = (abstention.TITLE, outliers.TITLE, wrong_window.TITLE)  # of every network
WINDOWS = (occlusion.OCCLUSION_TITLE, occlusion.CHANGE_TITLE, occlusion.TRACE_TITLE)  # of the main


def tables(runs: Sequence[Run]) -> tuple[Grid, ...]:
    """The tables that at least one of the runs has, the main run first."""
    found = [_grid(title, runs) for title in GATES]
    found += [_grid(title, runs[:1]) for title in WINDOWS]
    return tuple(grid for grid in found if grid is not None)


def _grid(title: str, runs: Sequence[Run]) -> Grid | None:
    """One further table of the evaluations, their rows below each other."""
    rows = [(run.name, row) for run in runs for row in run.rows(title)]
    if not rows:
        return None
    names = tuple(rows[0][1]["figures"])
    columns = [Column("slices", "whole"), Column("limit", "three"), *map(_column, names)]
    lines = tuple(Line(f"{run}: {row['name']}", _cells(row, names)) for run, row in rows)
    return Grid(title, (Group(MEASURED, tuple(columns)),), lines)


def _column(name: str) -> Column:
    return Column(TITLES.get(name, name), "percent" if name in SHARES else "three")


def _cells(row: Mapping[str, Any], names: Sequence[str]) -> tuple[Cell, ...]:
    figures = (Estimate(**row["figures"][name]) for name in names)
    return (row.get("slices"), row.get("threshold"), *figures)
