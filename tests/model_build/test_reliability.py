"""Reliability: bins by hand, and a regression that agrees with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from model_build import intervals
from model_build.prevalence import class_weights, logit, shift
from model_build.reliability import cox_figures, reliability_curve


def sample(count: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, intervals.Resampling]:
    """Honest probabilities, labels drawn with them, and draws of 100 patients."""
    generator = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-generator.normal(-1, 1.5, count)))
    labels = (generator.random(count) < p).astype(int)
    return p, labels, intervals.draw(np.arange(count) % 100, 300, 0)


def test_curve_of_two_values_by_hand() -> None:
    """Four slices at 0.2, one positive; four at 0.7, three positive."""
    p = np.array([0.2] * 4 + [0.7] * 4)
    labels = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    curve = reliability_curve(p, labels, intervals.draw(np.arange(8), 200, 0), "any")
    assert (curve.x, curve.y) == (pytest.approx((0.2, 0.7)), pytest.approx((0.25, 0.75)))
    assert curve.slices == (4, 4)
    assert curve.low[0] < 0.25 < curve.high[0]


def test_curve_at_a_prevalence_weighs_the_classes() -> None:
    """Half of the sample is positive; at a tenth, 1 of 4 is 1/9 : 3 -> 1/28, 3 of 4 is 1/4."""
    p = np.array([0.1] * 4 + [0.6] * 4)
    labels = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    curve = reliability_curve(p, labels, intervals.draw(np.arange(8), 50, 0), "any", 0.1)
    assert curve.y == pytest.approx((1 / 28, 1 / 4))


def test_curve_of_an_absent_label_is_empty() -> None:
    """Weighing to a prevalence needs both classes: no point, no warning."""
    p, _, resampling = sample(200)
    assert reliability_curve(p, np.zeros(200, int), resampling, "any", 0.1).x == ()


def test_honest_probabilities_have_slope_one_and_intercept_zero() -> None:
    """The intervals hold the truth."""
    p, labels, resampling = sample()
    values, spread = cox_figures(p, labels, resampling)
    slope, intercept = (intervals.percentile(spread[:, column]) for column in (0, 1))
    assert slope.low < values[0] < slope.high
    assert slope.low < 1 < slope.high
    assert intercept.low < 0 < intercept.high
    assert slope.high - slope.low < 0.5


@pytest.mark.parametrize("share", [None, 0.1])
def test_point_estimate_is_that_of_scikit_learn(share: float | None) -> None:
    """Unpenalised logistic regression with the same weights."""
    p, labels, resampling = sample()
    x = 2.0 * logit(p) + 0.7
    values, _ = cox_figures(1 / (1 + np.exp(-x)), labels, resampling, share)
    weights = class_weights(labels, share)
    fitted = LogisticRegression(C=np.inf, tol=1e-8).fit(x[:, None], labels, sample_weight=weights)
    np.testing.assert_allclose(values, [fitted.coef_[0, 0], fitted.intercept_[0]], atol=1e-4)


def test_one_step_replicates_spread_as_full_fits_do() -> None:
    """The standard deviation of 200 replicates is that of refitted ones within a tenth."""
    p, labels, resampling = sample()
    _, spread = cox_figures(p, labels, resampling)
    refits = []
    for column in range(200):
        weights = resampling.draws[resampling.patient_of_slice, column]
        fitted = LogisticRegression(C=np.inf).fit(logit(p)[:, None], labels, sample_weight=weights)
        refits.append((fitted.coef_[0, 0], fitted.intercept_[0]))
    np.testing.assert_allclose(spread[:200].std(axis=0), np.std(refits, axis=0), rtol=0.1)


def test_shifted_probabilities_stay_calibrated_at_the_target() -> None:
    """Moved to 5 % and weighed to 5 %, slope and intercept are what they were."""
    p, labels, resampling = sample()
    source = float(labels.mean())
    moved = shift(p[:, None], (source,), (0.05,))[:, 0]
    values, _ = cox_figures(moved, labels, resampling, 0.05)
    np.testing.assert_allclose(values, [1, 0], atol=0.25)
    wrong, _ = cox_figures(p, labels, resampling, 0.05)
    assert wrong[1] < -1.5


@pytest.mark.parametrize(
    "labels",
    [pytest.param(np.zeros(8, int), id="one class"), pytest.param(np.arange(8) // 4, id="apart")],
)
def test_no_fit_is_undefined(labels: np.ndarray) -> None:
    """One class, or classes that the scores separate, have no finite slope."""
    values, spread = cox_figures(
        np.linspace(0.1, 0.9, 8), labels, intervals.draw(np.arange(8), 20, 0)
    )
    assert np.isnan(values).all()
    assert np.isnan(spread).all()
