"""Calibrate: temperatures, biases and thresholds, chosen on validation patients only.

validation logits (N, 6) -> `fit_calibration` -> `at_natural_prevalence` -> biases of the manifest
                         -> `artifact.calibrated` p -> `choose_thresholds`

The fit makes p right among the validation slices as sampled. How many of them bleed is a choice of
the generator, so the biases are then shifted to the natural slice prevalence (`prevalence`): that
is what the served p assumes, the manifest says so, and the thresholds are chosen on this p.

The test split never reaches this module: a threshold chosen on the slices it is reported on makes
every figure beside it too good (evaluation leakage).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from model_build.metrics import FloatArray
from model_build.prevalence import NATURAL, Prevalences, offsets

# Weak Gaussian priors on log(temperature) and bias, centred on "no correction". Against some
# hundred positive slices they vanish; with a handful they keep the fit from running off.
LOG_TEMPERATURE_SD = 1.0
BIAS_SD = 3.0
TEMPERATURE_RANGE = (0.05, 20.0)
NEUTRAL_THRESHOLD = 0.5


def fit_calibration(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit a temperature and a bias per label by negative log likelihood (Platt, with a prior).

    Args:
        logits: (N, L) of validation slices.
        labels: (N, L), 0 or 1.

    Returns:
        Temperatures (L values > 0) and biases (L values). A label of one class only gets (1, 0):
        nothing can be learned about it.

    Raises:
        ValueError: shapes differ, there is no slice, or a logit is not finite.
    """
    if logits.shape != labels.shape or logits.ndim != 2 or not len(logits):
        raise ValueError("logits and labels must be two (N, L) arrays of one shape, N > 0")
    if not np.isfinite(logits).all():
        raise ValueError("logits must be finite")
    pairs = [
        _fit_label(logits[:, label].astype(np.float64), labels[:, label].astype(bool))
        for label in range(logits.shape[1])
    ]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def at_natural_prevalence(
    biases: Sequence[float],
    labels: npt.NDArray[np.integer],
    natural: Sequence[float] = NATURAL,
) -> tuple[tuple[float, ...], tuple[float | None, ...]]:
    """Shift biases fitted on these labels (N, L) from their prevalence to the natural one.

    Returns:
        Biases, and the prevalence that p now assumes; a label of one class only keeps its bias
        and assumes None: there is nothing to shift from.
    """
    shares = labels.mean(axis=0)
    source: Prevalences = [float(share) if 0.0 < share < 1.0 else None for share in shares]
    assumed = tuple(
        None if share is None else target for share, target in zip(source, natural, strict=True)
    )
    moved = np.asarray(biases) + offsets(source, assumed)
    return tuple(float(bias) for bias in moved), assumed


def choose_thresholds(
    probabilities: FloatArray, labels: npt.NDArray[np.integer]
) -> tuple[float, ...]:
    """The `balanced` operating point per label: largest Youden index (TPR - FPR).

    A threshold lies half way between two neighbouring scores, so that rounding (bf16, a fused
    kernel) cannot flip the slices that it was chosen on. Of equally good ones the lowest is taken:
    a missed hemorrhage costs more than a false alarm.

    Args:
        probabilities: (N, L), calibrated, of validation slices.
        labels: (N, L), 0 or 1.

    Returns:
        L thresholds in 0..1; 0.5 for a label of one class only or whose scores separate nothing.
    """
    columns = range(probabilities.shape[1])
    return tuple(_youden(probabilities[:, label], labels[:, label] > 0) for label in columns)


def _fit_label(
    logits: npt.NDArray[np.float64], present: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    if present.all() or not present.any():
        return 1.0, 0.0
    signs = np.where(present, 1.0, -1.0)

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        """Penalised negative log likelihood and its gradient in (log temperature, bias)."""
        log_temperature, bias = parameters
        scaled = logits * np.exp(-log_temperature)
        margins = signs * (scaled + bias)
        pull = -signs * expit(-margins)
        prior = np.array([log_temperature / LOG_TEMPERATURE_SD**2, bias / BIAS_SD**2])
        value = -log_expit(margins).sum() + 0.5 * float(prior @ parameters)
        # Divided by N so that the optimiser's tolerances mean the same for every sample size.
        gradient = np.array([-(pull @ scaled), pull.sum()]) + prior
        return value / len(logits), gradient / len(logits)

    limits = np.log(TEMPERATURE_RANGE)
    found = minimize(
        loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[tuple(limits), (None, None)]
    )
    return float(np.exp(found.x[0])), float(found.x[1])


def cuts_between(scores: FloatArray) -> FloatArray:
    """Half way between every two neighbouring values of scores (N,), ascending."""
    values = np.unique(scores)
    cuts: FloatArray = (values[:-1] + values[1:]) / 2.0
    return cuts


def share_at_least(scores: FloatArray, cuts: FloatArray) -> FloatArray:
    """The share of scores (N,) at or above each cut (K,)."""
    below = np.searchsorted(np.sort(scores), cuts, side="left")
    shares: FloatArray = 1.0 - below / len(scores)
    return shares


def _youden(scores: FloatArray, present: npt.NDArray[np.bool_]) -> float:
    cuts = cuts_between(scores)
    if present.all() or not present.any() or not len(cuts):
        return NEUTRAL_THRESHOLD
    sensitivity = share_at_least(scores[present], cuts)
    false_alarms = share_at_least(scores[~present], cuts)
    best = int(np.argmax(sensitivity - false_alarms))
    return float(cuts[best]) if sensitivity[best] > false_alarms[best] else NEUTRAL_THRESHOLD
