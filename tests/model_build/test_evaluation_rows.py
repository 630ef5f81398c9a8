"""Evaluation rows: which interval a figure gets."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.evaluation_rows import estimate, patients_behind

SPREAD = np.linspace(0.4, 0.6, 1001)


def test_ordinary_share_gets_the_bootstrap() -> None:
    """Between 0 and 1 the percentiles of the replicates are taken."""
    found = estimate(0.5, SPREAD, patients=20)
    assert found.method == "patient bootstrap"
    assert (found.low, found.high) == (pytest.approx(0.405), pytest.approx(0.595))


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.832, 1.0), (0.0, 0.0, 0.168)])
def test_share_at_its_end_gets_the_exact_interval(value: float, low: float, high: float) -> None:
    """All or none of twenty patients: Clopper-Pearson, 83.2 to 100 or 0 to 16.8 %."""
    found = estimate(value, np.full(100, value), patients=20)
    assert found.method == "Clopper-Pearson"
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


def test_undefined_figure_has_no_interval() -> None:
    """NaN leaves as None, whatever its replicates say."""
    found = estimate(float("nan"), SPREAD, patients=20)
    assert (found.value, found.low, found.high, found.method) == (None, None, None, "")


def test_patients_behind_count_patients_and_not_slices() -> None:
    """Rows are TP FP TN FN of one patient each: nine true calls in one patient are one."""
    tallies = np.array([[9, 0, 0, 0], [0, 2, 5, 0], [0, 0, 4, 1]])
    # sensitivity: 1st and 3rd; specificity: 2nd and 3rd; precision: 1st and 2nd;
    # NPV: 2nd and 3rd; accuracy: all.
    assert list(patients_behind(tallies)) == [2, 2, 2, 2, 3]
