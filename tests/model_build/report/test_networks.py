"""Tests of our own tables."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.evaluation_table import Estimate
from model_build.report import networks
from model_build.report.grid import NOT_STATED, Grid
from model_build.report.run_folder import Run, read_run
from tests.model_build.run_folders import SLICES, WEIGHTS, write_run


def titles(grid: Grid) -> list[str]:
    """The titles of the columns."""
    return [column.title for column in grid.columns]


def test_budgets_are_those_of_the_run_folders(runs: tuple[Run, ...]) -> None:
    """Parameters, initialisation, slices seen, seconds and hardware, in the columns named so."""
    grid = networks.budgets(runs)
    cells = dict(zip(titles(grid), grid.lines[0].cells, strict=True))
    assert cells == {
        "network": "conv_lstm",
        "parameters": WEIGHTS,
        "initialisation": "from scratch",
        "slices seen": 1234,
        "seconds by stage": "window 12.5",
        "hardware": "device test",
    }


def test_an_unstated_budget_is_not_invented(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A training that does not say how it began is shown as such."""
    facts = {"initialisation": None, "hardware": None}
    run = read_run(write_run(tmp_path_factory.mktemp("r") / "x", "bhcnet", training=facts))
    cells = networks.budgets([run]).lines[0].cells
    assert (cells[2], cells[5]) == (NOT_STATED, NOT_STATED)


def test_confusion_counts_every_slice_once(runs: tuple[Run, ...]) -> None:
    """TP, FP, TN and FN of a label add up to the slices, TP and FN to the positives."""
    grid = networks.confusion(runs[0])
    for index, line in enumerate(grid.lines):
        tp, fp, tn, fn = (int(str(cell)) for cell in line.cells[1:5])
        assert tp + fp + tn + fn == SLICES
        assert tp + fn == runs[0].scores.labels[:, index].sum()


def test_always_negative_on_this_split(runs: tuple[Run, ...]) -> None:
    """The accuracy of answering no: the share of zeros among all labels."""
    labels = runs[0].scores.labels
    assert networks.always_negative(runs[0]) == pytest.approx(np.mean(labels == 0))


def test_ablations_keep_their_intervals() -> None:
    """A table in the JSON form of the evaluation becomes a table of the report."""
    figure = {"value": 0.9, "low": 0.8, "high": 0.95, "method": "patient bootstrap"}
    rows = [{"name": "LSTM", "figures": {"auroc": figure}}]
    grid = networks.ablations({"title": "T", "columns": ["auroc"], "rows": rows})
    assert grid is not None
    assert grid.lines[0].cells == (Estimate(**figure),)
    assert networks.ablations(None) is None


@pytest.mark.parametrize("content", [{}, {"columns": ["a"], "rows": [1]}, {"columns": 3}])
def test_other_ablations_are_refused(content: dict[str, object]) -> None:
    """Another form is an error, not an empty table."""
    with pytest.raises(ValueError, match="ablations"):
        networks.ablations(content)
