"""Series level: summaries by hand, and a learned score that is calmer than the noisy-or."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from model_build import series_level
from model_build.metrics import cross_entropies
from model_build.prevalence import logit


def two_series() -> series_level.SeriesRows:
    """Series b of four slices before series a of one; one label."""
    p = np.array([[0.5], [0.2], [0.9], [0.05], [0.25]])
    labels = np.array([[0], [0], [1], [0], [0]])
    return series_level.gather(p, labels, [*"bbbba"], [*"xxxxy"])


def correlated(count: int, seed: int) -> series_level.SeriesRows:
    """Series of 20 slices whose probabilities are honest but all say the same."""
    generator = np.random.default_rng(seed)
    each = expit(generator.normal(-2, 2, count))
    positive = generator.random(count) < each
    p = np.repeat(each, 20)[:, None] * generator.uniform(0.9, 1.0, (20 * count, 1))
    labels = np.repeat(positive.astype(int), 20)[:, None]
    keys = np.repeat([f"{k:04d}" for k in range(count)], 20)
    return series_level.gather(p, labels, keys, keys)


def test_slices_are_gathered_by_series() -> None:
    """Labels are the maximum, patients those of the slices, keys sorted."""
    rows = two_series()
    assert (rows.keys, rows.patients) == (("a", "b"), ("y", "x"))
    assert rows.labels.tolist() == [[0], [1]]


def test_summaries_by_hand() -> None:
    """Largest .9, mean of the top three, noisy-or .962; of one slice all are its logit."""
    rows = two_series()
    np.testing.assert_allclose(rows.largest[:, 0], [0.25, 0.9])
    mean = (logit(0.5) + logit(0.2) + logit(0.9)) / 3
    np.testing.assert_allclose(
        rows.summaries[1, 0], [logit(0.9), mean, logit(1 - 0.5 * 0.8 * 0.1 * 0.95)]
    )
    np.testing.assert_allclose(rows.summaries[0, 0], [logit(0.25)] * 3)


def test_certain_slices_stay_finite() -> None:
    """Probabilities of exactly 0 and 1 give finite summaries without a warning."""
    rows = series_level.gather(
        np.array([[0.0], [1.0]]), np.array([[0], [1]]), ["a", "b"], ["a", "b"]
    )
    assert np.isfinite(rows.summaries).all()


def test_learned_score_is_better_calibrated_than_the_noisy_or() -> None:
    """Twenty slices that repeat each other are one witness, not twenty."""
    model = series_level.fit(correlated(400, 0))
    rows = correlated(400, 1)
    noisy = expit(rows.summaries[..., 2])
    losses = [cross_entropies(p, rows.labels).mean() for p in (model.score(rows), noisy)]
    assert losses[0] < losses[1] / 2


def test_one_class_keeps_the_largest_slice() -> None:
    """Nothing can be learned without both classes."""
    rows = two_series()
    alike = series_level.SeriesRows(rows.keys, rows.patients, rows.labels * 0, rows.summaries)
    np.testing.assert_allclose(series_level.fit(alike).score(rows), rows.largest)


def test_model_survives_the_manifest() -> None:
    """Lists and back; anything else is refused."""
    model = series_level.fit(correlated(50, 0))
    again = series_level.SeriesModel.from_dict(model.to_dict())
    np.testing.assert_array_equal(again.weights, model.weights)
    with pytest.raises(ValueError, match="three weights"):
        series_level.SeriesModel.from_dict({"weights": [[1.0]], "intercepts": [0.0]})
    with pytest.raises(ValueError, match="three weights"):
        series_level.SeriesModel.from_dict({})


def test_table_has_the_learned_score_beside_the_largest_slice() -> None:
    """Perfect series have an AUROC of one by both; without a model only the largest is shown."""
    labels = np.tile(np.array([[1], [0]] * 10), (1, 6))
    p = np.where(labels, 0.8, 0.2) + 0.01 * np.arange(20)[:, None] / 20
    keys = [f"s{k}" for k in range(20)]
    rows = series_level.gather(p, labels, keys, keys)
    both = series_level.table(rows, series_level.fit(rows), replicates=50)
    figures = both.row("any").figures
    assert [figures[name].value for name in both.columns] == [1.0, 1.0, 0.0]
    assert series_level.table(rows, None, replicates=50).columns == ("max_auroc",)
