"""Reliability: does p mean what it says? Curves, slope and intercept, with patient bootstrap.

p, y of one label -> equal-mass bins -> (mean p, observed share) -> `reliability_curve`
                  -> y ~ sigmoid(intercept + slope * logit p)    -> `cox_figures`
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from model_build import intervals
from model_build.intervals import Resampling
from model_build.metrics import CALIBRATION_BINS, FloatArray, defined, equal_mass_bins
from model_build.prevalence import class_weights, logit, mean_at, mean_replicates_at

COX: tuple[str, ...] = ("cox_slope", "cox_intercept")
NEWTON_STEPS, LARGEST_STEP = 50, 2.0
CONVERGED = 1e-8
LARGEST = 50.0  # a slope beyond it means separated classes: no finite maximum


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one label's curve, each with its 95 % interval and the slices behind it.

    `kind` says which curve it is ("reliability", "sensitivity by volume"); None where a figure or
    its interval is not defined.
    """

    kind: str
    label: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    slices: tuple[int, ...]


def reliability_curve(
    probabilities: FloatArray,
    labels: npt.NDArray[np.integer],
    resampling: Resampling,
    label: str,
    prevalence: float | None = None,
) -> Curve:
    """Mean p (x) against the observed share (y) in 15 equal-mass bins of one label.

    Args:
        probabilities: (N,) in 0..1.
        labels: (N,), 0 or 1.
        resampling: of the same N slices.
        label: name of the label, for the curve.
        prevalence: that p assumes and to which the slices are weighed; None: as sampled.
    """
    weights = class_weights(labels, prevalence)
    bins = equal_mass_bins(probabilities, weights)
    used = [index for index in range(CALIBRATION_BINS) if (bins == index).any()]
    inside = (bins[:, None] == np.array(used)).astype(np.float64)
    mass = mean_at(inside, labels, prevalence)
    x = mean_at(inside * probabilities[:, None], labels, prevalence) / mass
    y = mean_at(inside * labels[:, None], labels, prevalence) / mass
    masses = mean_replicates_at(inside, labels, prevalence, resampling)
    shares = mean_replicates_at(inside * labels[:, None], labels, prevalence, resampling)
    spread = np.full_like(shares, np.nan)
    np.divide(shares, masses, out=spread, where=masses > 0)
    kept = [column for column in range(len(used)) if not np.isnan(x[column])]
    ends = [intervals.percentile(spread[:, column]) for column in kept]
    return Curve(
        kind="reliability",
        label=label,
        x=tuple(float(x[column]) for column in kept),
        y=tuple(defined(y[column]) for column in kept),
        low=tuple(None if end is None else end.low for end in ends),
        high=tuple(None if end is None else end.high for end in ends),
        slices=tuple(int(inside[:, column].sum()) for column in kept),
    )


def cox_figures(
    probabilities: FloatArray,
    labels: npt.NDArray[np.integer],
    resampling: Resampling,
    prevalence: float | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Cox's recalibration of one label: slope and intercept of y on logit p; right is 1 and 0.

    A slope below 1 is overconfidence, a positive intercept at slope 1 means p is too low.
    Maximum likelihood by Newton's method; a replicate is one further step from the estimate of the
    sample (one-step bootstrap), which needs no fit of its own.

    Args:
        probabilities: (N,) in 0..1.
        labels: (N,), 0 or 1.
        resampling: of the same N slices.
        prevalence: that p assumes and to which the slices are weighed; None: as sampled.

    Returns:
        (2,) and (B, 2) in the order of `COX`; NaN for one class only or separated classes.
    """
    undefined = np.full(2, np.nan), np.full((resampling.draws.shape[1], 2), np.nan)
    if labels.min() == labels.max():
        return undefined
    x, present = logit(probabilities), (labels > 0).astype(np.float64)
    beta, step = np.array([0.0, 1.0]), np.zeros(2)  # intercept, slope
    for _ in range(NEWTON_STEPS):
        step = _step(mean_at(_terms(x, present, beta), labels, prevalence))
        beta = beta + np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        if np.abs(step).max() < CONVERGED:
            break
    if not (np.abs(step).max() < CONVERGED and np.abs(beta).max() < LARGEST):
        return undefined
    terms = mean_replicates_at(_terms(x, present, beta), labels, prevalence, resampling)
    return beta[::-1], (beta + _step(terms))[:, ::-1]


def _terms(x: FloatArray, present: FloatArray, beta: FloatArray) -> FloatArray:
    """Gradient (2) and curvature (3) of the log likelihood, slice by slice: (N, 5)."""
    mean = expit(beta[0] + beta[1] * x)
    slack, curvature = present - mean, mean * (1.0 - mean)
    return np.stack([slack, slack * x, curvature, curvature * x, curvature * x * x], axis=-1)


def _step(terms: FloatArray) -> FloatArray:
    """Newton's step (..., 2) of summed terms (..., 5); NaN where the curvature has no inverse."""
    g0, g1, h00, h01, h11 = np.moveaxis(terms, -1, 0)
    determinant = np.asarray(h00 * h11 - h01 * h01)
    numerators = np.stack([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0], axis=-1)
    bottom = np.broadcast_to(determinant[..., None], numerators.shape)
    steps = np.full(numerators.shape, np.nan)
    np.divide(numerators, bottom, out=steps, where=bottom > 0)
    return steps
