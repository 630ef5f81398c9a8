"""Metrics: published confusion matrices, the prior of the challenge, counts done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from model_build import metrics
from model_build.metrics import ConfusionMetrics
from service.types import LABELS

# Slices of the challenge (Rajagopal et al. 2023, Tables 1 to 3), in the order of LABELS.
POSITIVE_FILES = (3_145, 36_115, 26_204, 35_675, 47_060, 107_826)
ALL_FILES = 752_534


def challenge_labels() -> np.ndarray:
    """The labels of the challenge by count alone: which slices share them plays no part."""
    labels = np.zeros((ALL_FILES, len(LABELS)), dtype=np.int8)
    for column, count in enumerate(POSITIVE_FILES):
        labels[:count, column] = 1
    return labels


def test_published_label_counts_agree() -> None:
    """Files by number of subtypes (Table 2) hold as many files and labels as files by label."""
    files_with = {1: 75_755, 2: 24_823, 3: 6_217, 4: 1_008, 5: 23}
    assert sum(files_with.values()) == POSITIVE_FILES[-1]
    assert sum(k * files for k, files in files_with.items()) == sum(POSITIVE_FILES[:-1]) == 148_199


@pytest.mark.parametrize(
    ("counts", "percent"),
    [
        pytest.param((10, 1, 9, 0), (100, 90, 90.91, 100, 95, 95.24), id="one-false-alarm"),
        pytest.param((9, 0, 10, 1), (90, 100, 100, 90.91, 95, 94.74), id="one-missed"),
    ],
)
def test_published_confusion_matrices(
    counts: tuple[int, int, int, int], percent: tuple[float, ...]
) -> None:
    """The two opposite errors on twenty images that papers report as the same 95 %."""
    result = ConfusionMetrics.from_counts(*counts)
    found = [100 * getattr(result, name) for name in metrics.RATES]
    assert found == pytest.approx(percent, abs=0.005)


def test_empty_denominators_are_undefined() -> None:
    """Without positives and without calls, sensitivity, precision and F1 are None, not 0 or 1."""
    result = ConfusionMetrics.from_counts(tp=0, fp=0, tn=5, fn=0)
    assert (result.sensitivity, result.precision, result.f1) == (None, None, None)
    assert (result.specificity, result.npv, result.accuracy) == (1.0, 1.0, 1.0)


def test_each_label_has_its_own_threshold() -> None:
    """A slice is called where p >= threshold, label by label."""
    probabilities = np.array([[0.5, 0.5], [0.2, 0.9], [0.7, 0.1]])
    labels = np.array([[1, 1], [0, 0], [0, 1]])
    first, second = metrics.confusion_per_label(probabilities, labels, (0.5, 0.6))
    assert (first.tp, first.fp, first.tn, first.fn) == (1, 1, 1, 0)
    assert (second.tp, second.fp, second.tn, second.fn) == (0, 1, 0, 2)


def test_macro_is_the_mean_and_micro_the_pooled_counts() -> None:
    """Two labels of unequal size: sensitivities 1/1 and 1/3 are 0.667 macro and 0.5 micro."""
    pair = (ConfusionMetrics.from_counts(1, 0, 3, 0), ConfusionMetrics.from_counts(1, 0, 1, 2))
    assert metrics.macro([item.sensitivity for item in pair]) == pytest.approx(2 / 3)
    assert metrics.micro_confusion(pair).sensitivity == pytest.approx(0.5)


def test_macro_over_an_undefined_label_is_undefined() -> None:
    """An average over six labels never becomes one over five in silence."""
    assert metrics.macro([0.9, None]) is None
    assert metrics.macro([]) is None


def test_auroc_counts_pairs_and_half_of_the_ties() -> None:
    """Positives at 0.8 and 0.4, negatives at 0.4 and 0.1: 3.5 of 4 pairs are in order."""
    scores, labels = np.array([0.8, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0])
    assert metrics.auroc(scores, labels) == pytest.approx(3.5 / 4)


def test_average_precision_steps_by_hand() -> None:
    """Ranks + - + -: precision 1 at the first positive and 2/3 at the second."""
    scores, labels = np.array([0.9, 0.7, 0.5, 0.3]), np.array([1, 0, 1, 0])
    assert metrics.average_precision(scores, labels) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_has_no_ranking(value: int) -> None:
    """With one class only, AUROC and average precision are None."""
    scores, labels = np.array([0.2, 0.8]), np.full(2, value)
    assert metrics.auroc(scores, labels) is None
    assert metrics.average_precision(scores, labels) is None


def test_constant_prior_has_the_published_losses() -> None:
    """Prevalences as prediction give the challenge's prior losses, 0.2310 weighted."""
    labels = challenge_labels()
    prior = np.broadcast_to(np.array(POSITIVE_FILES) / ALL_FILES, labels.shape)
    found = metrics.cross_entropies(prior, labels).mean(axis=0)
    assert found == pytest.approx([0.0271, 0.1926, 0.1511, 0.1908, 0.2339, 0.4109], abs=5e-5)
    assert metrics.challenge_losses(prior, labels).mean() == pytest.approx(0.2310, abs=5e-5)


def test_calling_nothing_is_94_percent_accurate() -> None:
    """An always-negative predictor has 94.33 % mean accuracy and no sensitivity at all."""
    labels = challenge_labels()
    silent = metrics.confusion_per_label(np.zeros(labels.shape), labels, (0.5,) * len(LABELS))
    accuracy = metrics.macro([item.accuracy for item in silent])
    assert accuracy == pytest.approx(0.9433, abs=5e-5)
    assert {item.sensitivity for item in silent} == {0.0}


def test_any_counts_twice_in_the_challenge_loss() -> None:
    """Being wrong by 1 nat on `any` costs 2/7, on a subtype 1/7."""
    labels = np.zeros((6, 6), dtype=int)
    wrong_by_one_nat = np.eye(6) * (1 - np.exp(-1.0))
    found = metrics.challenge_losses(wrong_by_one_nat, labels)
    assert found == pytest.approx([1 / 7] * 5 + [2 / 7])


def test_certain_and_wrong_costs_a_finite_amount() -> None:
    """Probabilities of exactly 0 and 1 are clipped before the logarithm."""
    losses = metrics.cross_entropies(np.array([[0.0, 1.0, 0.0]]), np.array([[1, 0, 0]]))
    assert np.isfinite(losses).all()
    assert losses[0, :2].min() > 30
    assert losses[0, 2] == pytest.approx(0.0, abs=1e-12)


def test_calibration_error_by_hand() -> None:
    """Half the slices at 0.2 with a tenth positive, half at 0.8 with all: 0.5*0.1 + 0.5*0.2."""
    probabilities = np.repeat([0.2, 0.8], 150)
    labels = np.concatenate([np.tile([1] + [0] * 9, 15), np.ones(150, dtype=int)])
    found = metrics.expected_calibration_error(probabilities, labels)
    assert found == pytest.approx(0.15)


def test_calibration_bins_hold_equal_mass() -> None:
    """Thirty distinct values fill fifteen bins with two each, whatever the values."""
    probabilities = np.linspace(0.1, 0.9, 30) ** 3
    filled = metrics.bin_gaps(probabilities, np.zeros(30, dtype=int)) != 0
    assert filled.sum(axis=0).tolist() == [2] * metrics.CALIBRATION_BINS


def test_calibration_error_ignores_the_order_of_slices() -> None:
    """Equal probabilities share a bin, so sorting positives first changes nothing."""
    probabilities = np.full(40, 0.25)
    labels = np.tile([1, 0, 0, 0], 10)
    shuffled = metrics.expected_calibration_error(probabilities, labels)
    ordered = metrics.expected_calibration_error(probabilities, np.sort(labels))
    assert (shuffled, ordered) == (pytest.approx(0.0), pytest.approx(0.0))


def test_brier_is_the_mean_squared_error() -> None:
    """0.3 on a negative and 0.9 on a positive give (0.09 + 0.01) / 2."""
    errors = metrics.squared_errors(np.array([[0.3], [0.9]]), np.array([[0], [1]]))
    assert errors.mean() == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("prevalence", "percent"), [(0.02, 35), (0.06, 63), (0.1, 75), (0.145, 82)]
)
def test_ppv_falls_with_the_prevalence(prevalence: float, percent: int) -> None:
    """The paper's 93.87/96.45 is a PPV of 35 % where two in a hundred slices are positive."""
    found = metrics.projected_ppv(np.array(0.9387), np.array(0.9645), prevalence)
    assert 100 * float(found) == pytest.approx(percent, abs=0.5)
