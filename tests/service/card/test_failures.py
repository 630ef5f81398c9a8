"""Tests of the known failure modes: each rule fires at its limit and not before."""

from __future__ import annotations

from typing import Any

import pytest

from service.card import failures


def evaluation(**figures: dict[str, float | None]) -> dict[str, Any]:
    """An evaluation with one label and these figures in every table of the rules."""
    row = {"name": "subdural", "positives": 500, "figures": figures}
    average = {"name": "macro of 6", "positives": None, "figures": figures}
    names = ("discrimination", "against_baseline", "at_thresholds")
    return {name: {"columns": list(figures), "rows": [row, average]} for name in names}


@pytest.mark.parametrize(
    ("column", "good", "bad", "words"),
    [
        ("difference", {"value": 0.1, "low": 0.01}, {"value": 0.1, "low": 0.0}, "baseline"),
        ("difference", {"value": 0.1, "low": 0.01}, {"value": 0.1, "low": None}, "baseline"),
        ("auroc", {"value": 0.9, "low": 0.80}, {"value": 0.9, "low": 0.79}, "AUROC not shown"),
        ("sensitivity", {"value": 0.80}, {"value": 0.79}, "fewer than 80 %"),
        ("ece", {"value": 0.03}, {"value": 0.031}, "Calibration error"),
    ],
)
def test_a_rule_fires_beyond_its_limit(
    column: str, good: dict[str, float | None], bad: dict[str, float | None], words: str
) -> None:
    """The label is named, once: averages are no labels."""
    assert failures.known(evaluation(**{column: good})) == []
    (sentence,) = failures.known(evaluation(**{column: bad}))
    assert words in sentence
    assert sentence.count("subdural") == 1
    assert "macro" not in sentence


def test_few_positives_are_said() -> None:
    """A label with fewer than 100 positive slices is named with its count."""
    test = evaluation()
    test["discrimination"]["rows"][0]["positives"] = 99
    assert failures.known(test) == [
        "Fewer than 100 positive test slices, so little is known: subdural (99)."
    ]


def test_inconsistent_any_is_said() -> None:
    """The share of slices on which a subtype beats `any`."""
    assert failures.known({"any_consistent_share": 1.0}) == []
    assert "25.0 % of slices" in failures.known({"any_consistent_share": 0.75})[0]


def test_nothing_evaluated_gives_no_sentence() -> None:
    """Silence is for the page to explain."""
    assert failures.known(None) == []
