"""Operating: each point reaches its aim on validation, or there is none."""

from __future__ import annotations

import numpy as np
import pytest

from model_build import intervals, operating
from service.types import LABELS


def chosen(scores: list[float], labels: list[int]) -> dict[str, float | None]:
    """The three points of one label."""
    found = operating.choose(np.array(scores)[:, None], np.array(labels)[:, None])
    return {name: values[0] for name, values in found.items()}


def many() -> tuple[list[float], list[int]]:
    """100 positives at 0.50 ... 0.995 and 100 negatives at 0.0025 ... 0.4975, but three high."""
    positives = [0.5 + 0.005 * k for k in range(100)]
    negatives = [0.0025 + 0.005 * k for k in range(97)] + [0.6026, 0.7026, 0.8026]
    return positives + negatives, [1] * 100 + [0] * 100


def test_rule_out_is_the_highest_cut_that_finds_enough() -> None:
    """97 of 100 have a Wilson lower bound of .9155, 96 of .9016, 95 only .8882: 96 are needed."""
    scores, labels = many()
    cut = chosen(scores, labels)["rule_out"]
    found = (np.array(scores[:100]) >= cut).sum()
    assert found == 96
    assert intervals.wilson(96, 100).low > 0.90 > intervals.wilson(95, 100).low


def test_rule_in_is_the_lowest_cut_that_is_true_often_enough() -> None:
    """With 1 of 100 false alarms, PPV at 10 % needs 36 of 100 found: .036 / .045 = .8 exactly."""
    scores, labels = many()
    cut = chosen(scores, labels)["rule_in"]
    positive = (np.array(scores[:100]) >= cut).mean()
    negative = (np.array(scores[100:]) >= cut).mean()
    ppv = positive * 0.1 / (positive * 0.1 + negative * 0.9)
    assert ppv >= 0.8
    lower = max(score for score in scores if score < cut)
    wider = [(np.array(part) >= lower - 1e-9).mean() for part in (scores[:100], scores[100:])]
    assert wider[0] * 0.1 / (wider[0] * 0.1 + wider[1] * 0.9) < 0.8


def test_too_few_positives_cannot_rule_out() -> None:
    """Twenty of twenty have a Wilson lower bound of 83.9 %: no claim of 90 %."""
    scores = [0.9] * 20 + [0.1] * 20
    found = chosen(scores, [1] * 20 + [0] * 20)
    assert found["rule_out"] is None
    assert found["rule_in"] == pytest.approx(0.5)
    assert found["balanced"] == pytest.approx(0.5)


def test_a_cut_that_calls_everything_rules_nothing_out() -> None:
    """When the lowest slice is positive and needed, no negative is left below."""
    scores = [0.1 + 0.001 * k for k in range(100)] + [0.5] * 10
    assert chosen(scores, [1] * 100 + [0] * 10)["rule_out"] is None


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_has_no_point(value: int) -> None:
    """Only the neutral threshold is left."""
    found = chosen([0.1, 0.5, 0.9], [value] * 3)
    assert found == {"rule_out": None, "balanced": 0.5, "rule_in": None}


def test_blind_scores_do_not_rule_in() -> None:
    """Where every score holds as many positives as negatives, a PPV of 80 % is out of reach."""
    assert chosen([0.2, 0.2, 0.6, 0.6], [0, 1, 0, 1])["rule_in"] is None


def test_table_shows_both_points_and_leaves_the_missing_undefined() -> None:
    """Twelve rows; sensitivity of a cut by hand; None stays None."""
    p = np.tile(np.array([[0.9], [0.8], [0.3], [0.1]]), (1, 6))
    labels = np.tile(np.array([[1], [0], [1], [0]]), (1, 6))
    points = {"rule_out": (0.2,) * 6, "balanced": (0.5,) * 6, "rule_in": (None,) * 6}
    table = operating.table(p, labels, points, intervals.draw(["a", "b", "c", "d"], 50, 0))
    row = table.row("rule_out: any")
    assert (row.threshold, row.positives) == (0.2, 2)
    assert [row.figures[name].value for name in table.columns] == [1.0, 0.5]
    assert table.row("rule_in: any").figures["sensitivity"].value is None
    assert len(table.rows) == 2 * len(LABELS)
