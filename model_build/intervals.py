"""Intervals: 95 % confidence intervals by patient bootstrap, Wilson and Clopper-Pearson.

patients -> `draw` -> Resampling -> replicates of a figure (B,) -> `percentile` -> (low, high)

Slices of one patient are near copies of each other, so patients are resampled, not slices: a
replicate is the number of times each patient was drawn, and every figure is computed weighted by
it. No resampled copy of the data is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm

from model_build.metrics import FloatArray

REPLICATES = 2000
CONFIDENCE = 0.95
# Too many replicates without a positive slice, and the rest no longer stands for the sample.
LEAST_DEFINED_SHARE = 0.9
CHUNK = 64  # replicates at a time: keeps the (N, CHUNK) work arrays inside the cache


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of a confidence interval, in the unit of the figure."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Resampling:
    """Bootstrap draws: `draws` (P, B) is how often each patient is in each replicate.

    `patient_of_slice` (N,) is the row of `draws` for each slice.
    """

    draws: npt.NDArray[np.float32]
    patient_of_slice: npt.NDArray[np.intp]

    def chunks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Column ranges of `draws` with their columns (P, <= CHUNK) as float64."""
        for start in range(0, self.draws.shape[1], CHUNK):
            span = slice(start, min(start + CHUNK, self.draws.shape[1]))
            yield span, self.draws[:, span].astype(np.float64)


def draw(
    patients: Sequence[str] | npt.NDArray[np.generic],
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Resampling:
    """Draw patients with replacement, as many as there are.

    Args:
        patients: patient key of each slice, (N,).
        replicates: B.
        seed: of the generator; the same seed and patients give the same draws, so figures of two
            models on the same slices are paired.
    """
    keys, patient_of_slice = np.unique(np.asarray(patients), return_inverse=True)
    count = len(keys)
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(count, np.full(count, 1.0 / count), size=replicates)
    return Resampling(draws.T.astype(np.float32), patient_of_slice)


def per_patient(values: npt.NDArray[np.generic], resampling: Resampling) -> FloatArray:
    """Sum the slices' values (N, ...) within each patient: (P, ...)."""
    sums = np.zeros((resampling.draws.shape[0], *values.shape[1:]))
    np.add.at(sums, resampling.patient_of_slice, values)
    return sums


def sum_replicates(values: npt.NDArray[np.generic], resampling: Resampling) -> FloatArray:
    """The sum over slices of values (N, ...) in every replicate: (B, ...)."""
    sums = per_patient(values, resampling)
    replicates = resampling.draws.T.astype(np.float64) @ sums.reshape(len(sums), -1)
    return replicates.reshape(-1, *values.shape[1:])


def mean_replicates(values: npt.NDArray[np.generic], resampling: Resampling) -> FloatArray:
    """The mean over slices of values (N, ...) in every replicate: (B, ...)."""
    sums = sum_replicates(values, resampling)
    slices = sum_replicates(np.ones(len(values)), resampling)
    return sums / slices.reshape(-1, *(1 for _ in values.shape[1:]))


def ranking_replicates(
    scores: FloatArray,
    labels: npt.NDArray[np.integer],
    resampling: Resampling,
    prevalence: float | None = None,
) -> tuple[FloatArray, FloatArray]:
    """AUROC and average precision of one label in every replicate.

    Args:
        scores: (N,), any monotone scale; ties count half in the AUROC.
        labels: (N,), 0 or 1.
        resampling: of the same N slices.
        prevalence: to which the average precision is carried; None leaves that of the sample.

    Returns:
        Two arrays (B,), NaN where a replicate lacks one of the classes.
    """
    present = labels.astype(bool)
    order = np.argsort(scores, kind="stable")
    positives, negatives = order[present[order]], order[~present[order]]
    # Sorted once; a replicate then only needs running sums of its weights in this order.
    below = np.searchsorted(scores[negatives], scores[positives], side="left")
    not_above = np.searchsorted(scores[negatives], scores[positives], side="right")
    first_tied = np.searchsorted(scores[positives], scores[positives], side="left")
    area, precision = np.full((2, resampling.draws.shape[1]), np.nan)
    for span, draws in resampling.chunks():
        weights = draws[resampling.patient_of_slice[positives]]
        lower_positives = _running_sum(weights)
        lower_negatives = _running_sum(draws[resampling.patient_of_slice[negatives]])
        won = (weights * (lower_negatives[below] + lower_negatives[not_above])).sum(axis=0) / 2
        _divide(won, lower_positives[-1] * lower_negatives[-1], out=area[span])
        true_calls = lower_positives[-1] - lower_positives[first_tied]
        false_calls = lower_negatives[-1] - lower_negatives[below]
        if prevalence is not None:
            counts = lower_positives[-1], np.maximum(lower_negatives[-1], 1.0)
            false_calls = false_calls * (counts[0] / counts[1] * (1.0 / prevalence - 1.0))
        calls = true_calls + false_calls
        at_each = _divide(true_calls, calls, out=np.zeros_like(calls))
        _divide((weights * at_each).sum(axis=0), lower_positives[-1], out=precision[span])
    precision[np.isnan(area)] = np.nan
    return area, precision


def percentile(replicates: FloatArray) -> Interval | None:
    """The percentile interval of replicates (B,).

    None when it would mislead: too few defined replicates, or all equal (a bootstrap of a perfect
    score, or of one patient, has no width and says nothing).
    """
    known = replicates[~np.isnan(replicates)]
    if len(known) == 0 or len(known) < LEAST_DEFINED_SHARE * len(replicates):
        return None
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    # Sums in another order differ in the last bits; that is not a width.
    return None if high - low < 1e-12 else Interval(float(low), float(high))


def wilson(successes: float, trials: float) -> Interval:
    """Wilson score interval of a proportion.

    Raises:
        ValueError: no trials, or successes outside 0..trials.
    """
    _check_proportion(successes, trials)
    z = float(norm.ppf(0.5 + CONFIDENCE / 2.0))
    share, spread = successes / trials, z * z / trials
    center = (share + spread / 2.0) / (1.0 + spread)
    half = z * np.sqrt(share * (1.0 - share) / trials + spread / (4.0 * trials)) / (1.0 + spread)
    return Interval(max(0.0, float(center - half)), min(1.0, float(center + half)))


def clopper_pearson(successes: int, trials: int) -> Interval:
    """Exact (Clopper-Pearson) interval of a proportion.

    Raises:
        ValueError: no trials, or successes outside 0..trials.
    """
    _check_proportion(successes, trials)
    tail, failures = (1.0 - CONFIDENCE) / 2.0, trials - successes
    low = float(beta.ppf(tail, successes, failures + 1)) if successes else 0.0
    high = float(beta.ppf(1.0 - tail, successes + 1, failures)) if failures else 1.0
    return Interval(low, high)


def _check_proportion(successes: float, trials: float) -> None:
    if trials <= 0 or not 0 <= successes <= trials:
        raise ValueError("a proportion needs trials > 0 and 0 <= successes <= trials")


def _running_sum(weights: FloatArray) -> FloatArray:
    """Sums of the first k rows for k = 0..n: (n + 1, B)."""
    sums = np.zeros((len(weights) + 1, weights.shape[1]))
    np.cumsum(weights, axis=0, out=sums[1:])
    return sums


def _divide(numerators: FloatArray, denominators: FloatArray, out: FloatArray) -> FloatArray:
    """Divide into `out`, leaving what it holds where the denominator is zero."""
    return np.divide(numerators, denominators, out=out, where=denominators > 0)
