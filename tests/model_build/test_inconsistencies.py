"""Tests of the inconsistencies 1 to 11: the computed numbers are those of the specification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from model_build import inconsistencies, published
from model_build.inconsistencies import Inconsistency

CASES: list[tuple[Callable[[], Inconsistency], dict[str, float], float]] = [
    (
        inconsistencies.headline,
        {
            "mean_sensitivity": 93.55,
            "mean_specificity": 95.73,
            "mean_precision": 95.33,
            "mean_accuracy": 95.44,
            "matching_rows": 0,
        },
        0.005,
    ),
    (inconsistencies.accuracy_at_500, {"text": 95.70, "table": 96.58, "epoch_of_text": 400}, 0),
    (
        inconsistencies.accuracy_above_both,
        {"epoch 100": 94.91, "epoch 400": 95.7, "U-Net": 87.5},
        0,
    ),
    (
        inconsistencies.implied_prevalence,
        {
            "Conv-LSTM from accuracy": 50.8,
            "Conv-LSTM from precision": 42.9,
            "epoch 500 from accuracy": 13.7,
            "epoch 500 from precision": 46.5,
            "ResNeXt from accuracy": 2.4,
            "ResNeXt from precision": 66.0,
        },
        0.051,
    ),
    (
        inconsistencies.auroc_below_operating_point,
        {
            "mean_auc": 94.42,
            "mean_auc_subtypes": 94.36,
            "concave": 95.16,
            "least": 90.54,
            "largest_gap_to_f1": 0.5,
        },
        0.005,
    ),
    (
        inconsistencies.many_hemorrhages,
        {"excess": 40_373, "labels": 148_199, "several": 32_071},
        0,
    ),
    (
        inconsistencies.u_net_rank,
        {"table": 88.39, "text": 77.39, "sensitivity_gap": -0.33},
        1e-9,
    ),
    (inconsistencies.wrong_references, {"units_not_counted": 1}, 0),
    (
        inconsistencies.foreign_passages,
        {"29/30 of the test set": 7261.6, "14/15 of the test set": 7011.2},
        1e-9,
    ),
    (inconsistencies.slices_called_scans, {"slices": 72_516, "slices_per_study": 35}, 0.5),
    (inconsistencies.hardware, {"operations": 1.65e18, "days": 381}, 1e16),
]


@pytest.mark.parametrize(("function", "expected", "within"), CASES)
def test_computed_figures_are_those_of_the_specification(
    function: Callable[[], Inconsistency], expected: dict[str, float], within: float
) -> None:
    """Every figure that the specification prints comes out of the published numbers."""
    assert function().figures == pytest.approx(expected, abs=within)


def test_every_function_of_the_list_is_tested() -> None:
    """Eleven contradictions of the paper, in order, none left out here."""
    assert [case[0] for case in CASES] == list(inconsistencies.PAPER)


def test_the_381_days() -> None:
    """Days alone, at their own precision."""
    assert inconsistencies.hardware().figures["days"] == pytest.approx(381, abs=0.5)


def test_statements_follow_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written by hand: another published number changes the sentence."""
    before = inconsistencies.u_net_rank().statement
    rates = replace(published.U_NET.rates, precision=12.34)
    monkeypatch.setattr(published, "U_NET", replace(published.U_NET, rates=rates))
    assert "12.34" in inconsistencies.u_net_rank().statement
    assert "12.34" not in before
