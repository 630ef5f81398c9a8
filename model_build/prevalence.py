"""Prevalence: figures and probabilities carried from the prevalence of a sample to another one.

p of a sample -> + logit(target) - logit(sample) -> p of the target           (`shift`)
counts, means of a sample -> its two classes weighed as in the target         (`counts_at`, ...)

Which prevalence a probability assumes is part of its meaning: what says 50 % among phantoms, where
a quarter of the slices bleed, must say less in a clinic. The shipped calibration is fitted on
validation slices as sampled and then shifted to `NATURAL`; whatever depends on prevalence is
measured on test slices weighed to the same one, and thresholds follow. Both rest on one
assumption, label shift: what a class looks like does not change, only how often it comes.
Weighing is done within each replicate of the bootstrap, so that it does not count as uncertainty.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_build import intervals, published
from model_build.intervals import Resampling
from model_build.metrics import BoolArray, FloatArray
from service.artifact import calibrated
from service.types import LABELS

# Positive slices of the RSNA 2019 training data per label (evaluation spec section 4).
_SLICES = published.FILES_PER_LABEL["any"] + published.NEGATIVE_FILES
NATURAL: tuple[float, ...] = tuple(published.FILES_PER_LABEL[name] / _SLICES for name in LABELS)
# The papers trained and tested on a subset of which about half shows a hemorrhage.
HALF_POSITIVE: tuple[float, ...] = tuple(0.5 * share / NATURAL[-1] for share in NATURAL)

Prevalences = Sequence[float | None]
UNCHANGED: tuple[None, ...] = (None,) * len(LABELS)
SMALLEST = 1e-12  # a saturated probability still has to have a logit


def logit(probabilities: FloatArray | float) -> FloatArray:
    """Log odds of probabilities of any shape, kept finite at 0 and 1."""
    clipped = np.clip(np.asarray(probabilities, np.float64), SMALLEST, 1.0 - SMALLEST)
    odds: FloatArray = np.log(clipped) - np.log1p(-clipped)
    return odds


def offsets(source: Prevalences, target: Prevalences) -> FloatArray:
    """Logit(target) - logit(source) per label, (L,); 0 where either is unknown.

    Raises:
        ValueError: a prevalence is not between 0 and 1.
    """
    pairs = list(zip(source, target, strict=True))
    known = [value for pair in pairs for value in pair if value is not None]
    if not all(0.0 < value < 1.0 for value in known):
        raise ValueError("a prevalence must lie between 0 and 1")
    return np.array(
        [
            0.0 if old is None or new is None else float(logit(new) - logit(old))
            for old, new in pairs
        ]
    )


def shift(probabilities: FloatArray, source: Prevalences, target: Prevalences) -> FloatArray:
    """Probabilities (N, L) that assume `source`, as they are at `target`.

    Raises:
        ValueError: as `offsets`.
    """
    moved = offsets(source, target)
    return calibrated(logit(probabilities), np.ones(len(moved)).tolist(), moved.tolist())


def counts_at(counts: npt.NDArray[np.generic], prevalence: float | None) -> FloatArray:
    """Counts (..., 4) in the order of `metrics.OUTCOMES`, as they would be at a prevalence.

    The total stays. NaN where a class that would have to be weighed is absent; unchanged for None.
    """
    given = np.asarray(counts, dtype=np.float64)
    if prevalence is None:
        return given
    tp, fp, tn, fn = np.moveaxis(given, -1, 0)
    total = given.sum(axis=-1)
    positive, negative = (
        _ratio(total * prevalence, tp + fn),
        _ratio(total * (1 - prevalence), tn + fp),
    )
    return np.stack([tp * positive, fp * negative, tn * negative, fn * positive], axis=-1)


def class_weights(labels: npt.NDArray[np.integer], prevalence: float | None) -> FloatArray:
    """Weight of each slice, (N,), with mean 1 and the weighted share of positives `prevalence`.

    NaN when a class is absent; all 1 for None.
    """
    present = labels > 0
    if prevalence is None:
        return np.ones(len(present))
    if present.all() or not present.any():
        return np.full(len(present), np.nan)
    share = float(present.mean())
    return np.where(present, prevalence / share, (1.0 - prevalence) / (1.0 - share))


def mean_at(
    values: npt.NDArray[np.generic], labels: npt.NDArray[np.integer], prevalence: float | None
) -> FloatArray:
    """The mean over slices of values (N, ...), weighed to a prevalence of the label (N,)."""
    weights = class_weights(labels, prevalence)
    total: FloatArray = np.tensordot(weights, np.asarray(values, np.float64), axes=(0, 0))
    mean: FloatArray = np.asarray(total / len(weights))
    return mean


def mean_replicates_at(
    values: npt.NDArray[np.generic],
    labels: npt.NDArray[np.integer],
    prevalence: float | None,
    resampling: Resampling,
) -> FloatArray:
    """`mean_at` in every replicate, (B, ...); NaN where a replicate lacks a class."""
    if prevalence is None:
        return intervals.mean_replicates(values, resampling)
    present: BoolArray = labels > 0
    singles = (1,) * (values.ndim - 1)
    parts = []
    for members, share in ((present, prevalence), (~present, 1.0 - prevalence)):
        sums = intervals.sum_replicates(values * members.reshape(-1, *singles), resampling)
        slices = intervals.sum_replicates(members.astype(np.float64), resampling)
        parts.append(share * _ratio(sums, slices.reshape(-1, *singles)))
    return parts[0] + parts[1]


def _ratio(numerators: FloatArray, denominators: FloatArray) -> FloatArray:
    """Quotients, NaN where the denominator is zero."""
    bottom = np.broadcast_to(
        denominators, np.broadcast_shapes(numerators.shape, denominators.shape)
    )
    quotients = np.full(bottom.shape, np.nan)
    np.divide(numerators, bottom, out=quotients, where=bottom > 0)
    return quotients
