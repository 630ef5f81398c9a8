"""DeLong: areas and variances by hand, and beside the bootstrap on random rows."""

from __future__ import annotations

import numpy as np
import pytest

from model_build import delong, intervals, series_level


def rows(scores: np.ndarray, labels: np.ndarray, patients: list[str]) -> series_level.SeriesRows:
    """Series of one slice each, the same for all six labels."""
    p, y = (np.tile(values[:, None], (1, 6)) for values in (scores, labels))
    keys = [f"s{k:04d}" for k in range(len(scores))]
    return series_level.gather(p, y, keys, patients)


def test_a_small_case_by_hand() -> None:
    """Positives 3, 2 and negatives 1, 2: three wins and a tie of four, area 7/8.

    A positive's share of beaten negatives is 1 and 3/4, a negative's share of better positives
    the same: both variances are 1/32, and 1/32 / 2 + 1/32 / 2 = 1/32.
    """
    scores = np.array([[3.0, 2.0, 1.0, 2.0]])
    found, covariance = delong.areas(scores, np.array([1, 1, 0, 0]))
    assert found.tolist() == [0.875]
    np.testing.assert_allclose(covariance, [[1 / 32]])


def test_two_scores_by_hand() -> None:
    """The second score calls everything alike: area 1/2, no variance, no covariance."""
    scores = np.array([[3.0, 2.0, 1.0, 2.0], [5.0, 5.0, 5.0, 5.0]])
    found, covariance = delong.areas(scores, np.array([1, 1, 0, 0]))
    assert found.tolist() == [0.875, 0.5]
    np.testing.assert_allclose(covariance, [[1 / 32, 0.0], [0.0, 0.0]], atol=1e-15)


def test_midranks_equal_the_definition() -> None:
    """The quadratic sum over all pairs, as DeLong wrote it, gives the same variance."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 60)
    scores = rng.integers(0, 12, (2, 60)) + labels * 3.0  # many ties
    found, covariance = delong.areas(scores, labels)
    x, y = scores[:, labels == 1], scores[:, labels == 0]
    kernel = (x[:, :, None] > y[:, None, :]) + 0.5 * (x[:, :, None] == y[:, None, :])
    expected = np.cov(kernel.mean(axis=2)) / x.shape[1] + np.cov(kernel.mean(axis=1)) / y.shape[1]
    np.testing.assert_allclose(found, kernel.mean(axis=(1, 2)))
    np.testing.assert_allclose(covariance, expected)


def test_interval_agrees_with_the_bootstrap() -> None:
    """Independent rows: both ends within a hundredth of those of 2000 resamples."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    scores = rng.normal(labels * 1.2, 1.0)
    resampling = intervals.draw(np.arange(600), 2000, 0)
    boot = intervals.percentile(intervals.ranking_replicates(scores, labels, resampling)[0])
    found, covariance = delong.areas(scores[None], labels)
    estimate = delong.estimate(float(found[0]), float(covariance[0, 0]))
    assert boot is not None
    assert estimate.low == pytest.approx(boot.low, abs=0.01)
    assert estimate.high == pytest.approx(boot.high, abs=0.01)
    assert estimate.method == "DeLong"


def test_what_is_not_defined_stays_null() -> None:
    """One class: no area. One positive, or a perfect score: an area without an interval."""
    scores = np.array([[0.1, 0.2, 0.9]])
    found, covariance = delong.areas(scores, np.zeros(3, int))
    assert delong.estimate(float(found[0]), float(covariance[0, 0])).value is None
    found, covariance = delong.areas(scores, np.array([0, 0, 1]))
    single = delong.estimate(float(found[0]), float(covariance[0, 0]))
    assert (single.value, single.low, single.high) == (1.0, None, None)
    assert delong.estimate(1.0, 0.0).low is None


def test_an_interval_ends_at_the_largest_area() -> None:
    """A normal interval would go beyond 1, and of a difference beyond -1."""
    near = delong.estimate(0.99, 0.01)
    assert near.high == 1.0
    assert near.low == pytest.approx(0.99 - 1.959964 * 0.1)
    assert delong.estimate(-0.99, 0.01, least=-1.0).low == -1.0


def test_one_series_stands_for_a_patient() -> None:
    """Two series of one patient are not independent: the first by key is kept."""
    given = rows(np.array([0.1, 0.9, 0.4]), np.array([0, 1, 1]), ["b", "b", "a"])
    kept = delong.one_per_patient(given)
    assert (kept.keys, kept.patients) == (("s0002", "s0000"), ("a", "b"))
    assert kept.labels[:, 0].tolist() == [1, 0]


def test_table_has_both_scores_and_their_difference() -> None:
    """The paired difference has its own variance; without a model only the largest is shown."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 80)
    given = rows(1 / (1 + np.exp(-rng.normal(labels, 1.0))), labels, [f"p{k}" for k in range(80)])
    reverse = series_level.SeriesModel(np.tile([-1.0, 0.0, 0.0], (6, 1)), np.zeros(6))
    figures = delong.table(given, reverse).row("any").figures
    assert figures["auroc"].value == pytest.approx(1 - figures["max_auroc"].value)
    difference = figures["auroc"].value - figures["max_auroc"].value
    assert figures["difference"].value == pytest.approx(difference)
    # The two move against each other in full: twice the width of one.
    widths = [figures[name].high - figures[name].low for name in ("difference", "max_auroc")]
    assert widths[0] == pytest.approx(2 * widths[1])
    alone = delong.table(given, None)
    assert alone.columns == ("max_auroc",)
    assert "80 series" in alone.title
