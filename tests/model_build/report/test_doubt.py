"""Doubt in the report: the tables of every run that has them, none where no run has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from model_build import abstention, occlusion, outliers
from model_build.evaluation_table import Estimate, Row, Table
from model_build.reliability import Curve
from model_build.report import doubt, figures
from model_build.report.run_folder import Run


def with_more(run: Run, *tables: Table, curves: tuple[Curve, ...] = ()) -> Run:
    """The same run, its evaluation with these tables and curves."""
    old: Mapping[str, Any] = run.evaluation
    further = [*old["further"], *(asdict(table) for table in tables)]
    more = {"further": further, "curves": [*old["curves"], *(asdict(curve) for curve in curves)]}
    return replace(run, evaluation={**old, **more})


def gate(name: str, share: float) -> Table:
    """The table of the gate, its title with the embedding as it is written."""
    figure = {"flagged": Estimate(share, 0.0, 1.0, "Wilson"), "auroc": Estimate(None)}
    row = Row("test", figure, threshold=12.5, slices=400)
    return Table(f"{outliers.TITLE} ({name})", ("flagged", "auroc"), (row,))


def window_table(value: float) -> Table:
    """Occlusion of one window."""
    row = Row("brain", {"any": Estimate(value)}, slices=400)
    return Table(occlusion.OCCLUSION_TITLE, ("any",), (row,))


def test_older_evaluations_have_no_tables(runs: tuple[Run, ...]) -> None:
    """Nothing is shown, and nothing fails."""
    assert doubt.tables(runs) == ()
    assert figures.risk_curves(runs[0]) is None


def test_every_run_with_the_table_has_its_lines(runs: tuple[Run, ...]) -> None:
    """Main run first, slices and limit beside the figures, shares as percent."""
    both = (with_more(runs[0], gate("128", 0.005)), with_more(runs[1], gate("64", 0.02)))
    (grid,) = doubt.tables(both)
    assert grid.title == outliers.TITLE
    assert [line.name for line in grid.lines] == ["main: test", "other<b>: test"]
    assert [column.kind for column in grid.columns] == ["whole", "three", "percent", "three"]
    assert grid.lines[1].cells[:2] == (400, 12.5)
    assert grid.lines[1].cells[2] == Estimate(0.02, 0.0, 1.0, "Wilson")
    (single,) = doubt.tables((runs[0], both[1]))
    assert [line.name for line in single.lines] == ["other<b>: test"]


def test_windows_are_those_of_the_main_run(runs: tuple[Run, ...]) -> None:
    """Occlusion of a second network is in its own evaluation, not here."""
    both = (with_more(runs[0], window_table(1.5)), with_more(runs[1], window_table(2.5)))
    (grid,) = doubt.tables(both)
    assert [line.name for line in grid.lines] == ["main: brain"]


def test_risk_is_drawn_apart_from_sensitivity(runs: tuple[Run, ...]) -> None:
    """A curve of risk adds its own drawing and no panel to that of the lesions."""
    none = (None, None)
    curve = Curve(
        f"risk by coverage, {abstention.ENTROPY}", "any", (0.5, 1.0), (0.1, 0.2), none, none, (1, 2)
    )
    run = with_more(runs[0], curves=(curve,))
    drawn = figures.risk_curves(run)
    assert drawn is not None
    assert drawn.startswith("data:image/svg+xml")
    assert figures.lesion_curves(run) == figures.lesion_curves(runs[0])
