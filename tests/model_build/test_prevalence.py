"""Prevalence: shifts and weights by hand, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from model_build import intervals, prevalence
from model_build.metrics import cross_entropies, rates
from service.types import LABELS


def test_natural_prevalence_is_that_of_the_published_tables() -> None:
    """The percentages of the specification, section 4, and half of the slices in the subset."""
    percent = dict(zip(LABELS, np.round(100 * np.array(prevalence.NATURAL), 3), strict=True))
    assert percent == {
        "epidural": 0.418,
        "intraparenchymal": 4.799,
        "intraventricular": 3.482,
        "subarachnoid": 4.741,
        "subdural": 6.254,
        "any": 14.328,
    }
    assert prevalence.HALF_POSITIVE[-1] == 0.5


def test_constant_prior_has_the_published_weighted_loss() -> None:
    """Predicting the prevalence itself costs 0.2310 at that prevalence (section 4)."""
    labels = np.tile(np.array([[0] * 6, [1] * 6]), (50, 1))
    p = np.tile(np.array(prevalence.NATURAL), (100, 1))
    losses = cross_entropies(p, labels)
    each = [
        float(prevalence.mean_at(losses[:, k], labels[:, k], share))
        for k, share in enumerate(prevalence.NATURAL)
    ]
    np.testing.assert_allclose(each, [0.0271, 0.1926, 0.1511, 0.1908, 0.2339, 0.4109], atol=6e-5)
    assert (2 * each[-1] + sum(each[:-1])) / 7 == pytest.approx(0.2310, abs=5e-5)


def test_shift_moves_the_odds() -> None:
    """From 50 % to 20 %, odds fall to a quarter: 1/2 becomes 1/5, 4/5 becomes 1/2."""
    found = prevalence.shift(np.array([[0.5], [0.8]]), (0.5,), (0.2,))
    np.testing.assert_allclose(found, [[0.2], [0.5]], atol=1e-12)


def test_an_unknown_prevalence_moves_nothing() -> None:
    """None on either side leaves the probability of that label."""
    p = np.array([[0.3, 0.3]])
    np.testing.assert_allclose(prevalence.shift(p, (None, 0.5), (0.1, None)), p)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1])
def test_an_impossible_prevalence_is_refused(value: float) -> None:
    """Its odds would be infinite or none."""
    with pytest.raises(ValueError, match="prevalence"):
        prevalence.offsets((0.5,), (value,))


def test_shifted_probabilities_are_right_in_the_weighted_sample() -> None:
    """What is calibrated at 50 % is calibrated at 10 % after the shift, for weighed slices."""
    p = np.array([0.2] * 10 + [0.8] * 10)
    labels = np.array([1] * 2 + [0] * 8 + [1] * 8 + [0] * 2)
    moved = prevalence.shift(p[:, None], (0.5,), (0.1,))[:, 0]
    weights = prevalence.class_weights(labels, 0.1)
    for group in (slice(0, 10), slice(10, 20)):
        observed = np.average(labels[group], weights=weights[group])
        assert moved[group][0] == pytest.approx(observed)


def test_counts_at_another_prevalence_keep_sensitivity_and_specificity() -> None:
    """8 of 10 and 60 of 90 at 50 %: PPV is .8 / (.8 + 1/3), the total stays 100."""
    counts = np.array([8, 30, 60, 2])
    found = prevalence.counts_at(counts, 0.5)
    assert found.sum() == pytest.approx(100)
    before, after = rates(counts), rates(found)
    np.testing.assert_allclose(after[:2], before[:2])
    assert after[2] == pytest.approx(0.8 / (0.8 + 1 / 3))
    assert prevalence.counts_at(counts, None).tolist() == counts.tolist()


def test_weights_of_an_absent_class_are_undefined() -> None:
    """No positive slice can be weighed up to a tenth of the sample."""
    assert np.isnan(prevalence.class_weights(np.zeros(4, int), 0.1)).all()
    assert np.isnan(prevalence.counts_at(np.array([0, 1, 3, 0]), 0.1)).any()


def test_weighed_mean_is_that_of_scikit_learn() -> None:
    """The log loss at 20 % equals scikit-learn's with sample weights."""
    generator = np.random.default_rng(1)
    labels = (generator.random(200) < 0.6).astype(int)
    p = generator.uniform(0.05, 0.95, 200)
    losses = cross_entropies(p[:, None], labels[:, None])[:, 0]
    weights = prevalence.class_weights(labels, 0.2)
    assert np.average(labels, weights=weights) == pytest.approx(0.2)
    expected = log_loss(labels, p, sample_weight=weights)
    assert prevalence.mean_at(losses, labels, 0.2) == pytest.approx(expected)


def test_each_replicate_is_weighed_by_itself() -> None:
    """The mean of the labels is the prevalence in every replicate, NaN where a class is missing."""
    labels = np.array([1, 0, 1, 0, 0, 0])
    resampling = intervals.draw(["a", "a", "b", "b", "c", "d"], 200, 3)
    found = prevalence.mean_replicates_at(labels, labels, 0.3, resampling)
    missing = np.isnan(found)
    np.testing.assert_allclose(found[~missing], 0.3)
    positives = intervals.sum_replicates(labels, resampling)
    assert (missing == (positives == 0)).all()
    assert 0 < missing.sum() < 200
