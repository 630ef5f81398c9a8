"""Metrics: point estimates per label from scores, labels and thresholds (numpy, scikit-learn).

Arrays are (N slices, L labels), labels in the order of `service.types.LABELS`. A figure that is
not defined (no positives, one class only) is None, or NaN inside an array: never 0, never 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from service.types import LABELS

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

OUTCOMES: tuple[str, ...] = ("tp", "fp", "tn", "fn")
RATES: tuple[str, ...] = ("sensitivity", "specificity", "precision", "npv", "accuracy", "f1")
CALIBRATION_BINS = 15
# `any` counts twice in the loss of the RSNA 2019 challenge.
CHALLENGE_WEIGHTS = np.array([2.0 if label == "any" else 1.0 for label in LABELS])
# A probability of exactly 0 or 1 that is wrong would cost infinity; the challenge clips as well.
SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True)
class ConfusionMetrics:
    """The confusion counts of one label at one threshold and the rates that follow from them.

    Rates are fractions; None where the denominator is empty (Rajagopal et al. 2023, sec. 5.1 for
    sensitivity, specificity, accuracy and F1).
    """

    tp: int
    fp: int
    tn: int
    fn: int
    sensitivity: float | None
    specificity: float | None
    precision: float | None
    npv: float | None
    accuracy: float | None
    f1: float | None

    @classmethod
    def from_counts(cls, tp: int, fp: int, tn: int, fn: int) -> ConfusionMetrics:
        """The rates of four counts."""
        values = rates(np.array([tp, fp, tn, fn], dtype=np.float64))
        return cls(tp, fp, tn, fn, *(defined(value) for value in values))


def defined(value: float) -> float | None:
    """The number as a plain float, None for NaN: how an undefined figure leaves an array."""
    return None if np.isnan(value) else float(value)


def rates(counts: npt.NDArray[np.floating]) -> FloatArray:
    """Counts (..., 4) in the order of `OUTCOMES` -> fractions (..., 6) in the order of `RATES`.

    NaN where the denominator is zero.
    """
    tp, fp, tn, fn = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    numerators = np.stack([tp, tn, tp, tn, tp + tn, 2 * tp], axis=-1)
    denominators = np.stack(
        [tp + fn, tn + fp, tp + fp, tn + fn, tp + fp + tn + fn, 2 * tp + fp + fn], axis=-1
    )
    return _ratio(numerators, denominators)


def outcomes(
    probabilities: FloatArray, labels: npt.NDArray[np.integer], thresholds: Sequence[float]
) -> BoolArray:
    """Mark each slice and label as TP, FP, TN or FN.

    Args:
        probabilities: (N, L) in 0..1; a label is called when p >= threshold.
        labels: (N, L), 0 or 1.
        thresholds: L values.

    Returns:
        (N, L, 4), exactly one True along the last axis, in the order of `OUTCOMES`.
    """
    called = probabilities >= np.asarray(thresholds, dtype=np.float64)
    present = labels.astype(bool)
    return np.stack(
        [called & present, called & ~present, ~called & ~present, ~called & present], axis=-1
    )


def confusion_per_label(
    probabilities: FloatArray, labels: npt.NDArray[np.integer], thresholds: Sequence[float]
) -> tuple[ConfusionMetrics, ...]:
    """One `ConfusionMetrics` per label; arguments as for `outcomes`."""
    counts = outcomes(probabilities, labels, thresholds).sum(axis=0)
    return tuple(ConfusionMetrics.from_counts(*map(int, row)) for row in counts)


def micro_confusion(per_label: Sequence[ConfusionMetrics]) -> ConfusionMetrics:
    """The rates of the counts pooled over the labels given."""
    pooled = (sum(getattr(item, name) for item in per_label) for name in OUTCOMES)
    return ConfusionMetrics.from_counts(*pooled)


def macro(values: Sequence[float | None]) -> float | None:
    """The plain mean over the labels given; None as soon as one of them is undefined.

    A mean over whatever happens to be defined would change its meaning with the test set.
    """
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers and len(numbers) == len(values) else None


def auroc(scores: FloatArray, labels: npt.NDArray[np.integer]) -> float | None:
    """Area under the ROC curve of one label, from scores (N,); None when one class is absent."""
    return None if _one_class(labels) else float(roc_auc_score(labels, scores))


def average_precision(
    scores: FloatArray, labels: npt.NDArray[np.integer], weights: FloatArray | None = None
) -> float | None:
    """Average precision (step-wise area, no interpolation); None when one class is absent.

    `weights` (N,) carry it to another prevalence (`prevalence.class_weights`).
    """
    if _one_class(labels):
        return None
    return float(average_precision_score(labels, scores, sample_weight=weights))


def cross_entropies(probabilities: FloatArray, labels: npt.NDArray[np.integer]) -> FloatArray:
    """Binary cross-entropy of every slice and label in nats, (N, L); probabilities clipped."""
    clipped = np.clip(probabilities, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)
    return np.where(labels.astype(bool), -np.log(clipped), -np.log1p(-clipped))


def challenge_losses(probabilities: FloatArray, labels: npt.NDArray[np.integer]) -> FloatArray:
    """Weighted log loss of each slice, (N,): (2 BCE_any + the five subtype BCE) / 7.

    Its mean is the metric of the RSNA 2019 challenge.
    """
    weights = CHALLENGE_WEIGHTS / CHALLENGE_WEIGHTS.sum()
    losses: FloatArray = cross_entropies(probabilities, labels) @ weights
    return losses


def squared_errors(probabilities: FloatArray, labels: npt.NDArray[np.integer]) -> FloatArray:
    """Squared error of every slice and label, (N, L); the mean over slices is the Brier score."""
    errors: FloatArray = np.square(probabilities - labels)
    return errors


def equal_mass_bins(probabilities: FloatArray, weights: FloatArray | None = None) -> IntArray:
    """The bin 0..14 of each slice, (N,), so that each bin holds a fifteenth of the weight.

    Bins follow the rank of p; equal values share one bin, so the order of slices is irrelevant.
    """
    ordered = np.argsort(probabilities, kind="stable")
    ranks = np.searchsorted(probabilities[ordered], probabilities, side="left")
    if weights is None or np.isnan(weights).any():
        even: IntArray = ranks * CALIBRATION_BINS // len(probabilities)
        return even
    below = np.concatenate([[0.0], np.cumsum(weights[ordered])])
    # A sum of weights that should be k fifteenths may fall short of it by rounding.
    places = np.floor(below[ranks] / below[-1] * CALIBRATION_BINS + 1e-9)
    weighed: IntArray = np.minimum(places, CALIBRATION_BINS - 1).astype(np.intp)
    return weighed


def bin_gaps(
    probabilities: FloatArray,
    labels: npt.NDArray[np.integer],
    weights: FloatArray | None = None,
) -> FloatArray:
    """P - y of one label, (N,), laid out in the slice's equal-mass bin: (N, 15), else zeros."""
    gaps = np.zeros((len(probabilities), CALIBRATION_BINS))
    bins = equal_mass_bins(probabilities, weights)
    gaps[np.arange(len(probabilities)), bins] = probabilities - labels
    return gaps


def expected_calibration_error(probabilities: FloatArray, labels: npt.NDArray[np.integer]) -> float:
    """ECE of one label: the mass-weighted |mean p - observed share| over 15 equal-mass bins."""
    return float(np.abs(bin_gaps(probabilities, labels).mean(axis=0)).sum())


def projected_ppv(
    sensitivity: FloatArray, specificity: FloatArray, prevalence: float
) -> FloatArray:
    """PPV that a sensitivity and a specificity give at another prevalence (Bayes); NaN if 0/0."""
    hits = np.asarray(sensitivity * prevalence)
    return _ratio(hits, hits + (1.0 - specificity) * (1.0 - prevalence))


def _one_class(labels: npt.NDArray[np.integer]) -> bool:
    return bool(labels.min() == labels.max())


def _ratio(numerators: FloatArray, denominators: FloatArray) -> FloatArray:
    quotients = np.full(np.shape(numerators), np.nan)
    np.divide(numerators, denominators, out=quotients, where=denominators > 0)
    return quotients
