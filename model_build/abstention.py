"""Abstention: free signals of doubt, what they are worth, and answers withheld beyond a limit.

p(any), stage-2 window logits -> `signals` -> `table`   accuracy and AUROC of what is answered
                                           -> `curves`  risk of the surest share, by that share

The limit is the 95th percentile of validation (evaluation spec section 8). Risk is the share of
wrong calls of `any` at its threshold; AURC is its mean over all shares (Geifman & El-Yaniv 2017),
for a signal that knows nothing the plain error. All of it is weighed to the assumed prevalence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from model_build import intervals, metrics
from model_build.evaluation_rows import estimate
from model_build.evaluation_table import Estimate, Row, Table
from model_build.intervals import Resampling
from model_build.metrics import BoolArray, FloatArray, defined
from model_build.prevalence import class_weights, mean_at, mean_replicates_at
from model_build.reliability import Curve
from service.types import LABELS

ENTROPY = "entropy of p(any)"
WINDOW_VARIANCE = "variance of the window logits"
LSTM_GAP = "|LSTM - mean of the windows|"
NOBODY = "no abstention"
TITLE = "Abstention beyond the 95th percentile of validation (`any`)"
COLUMNS: tuple[str, ...] = ("abstained", "accuracy", "auroc", "aurc")
PERCENTILE = 95.0
CURVE_POINTS = 20
ANY = LABELS.index("any")

Signals = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Calls:
    """The answers on `any` of N test slices.

    Attributes:
        scores: (N,) calibrated probabilities.
        labels: (N,), 0 or 1.
        threshold: at which a slice is called, chosen on validation.
        prevalence: that figures are weighed to; None: as sampled.
        resampling: of the same N slices.
    """

    scores: FloatArray
    labels: npt.NDArray[np.integer]
    threshold: float
    prevalence: float | None
    resampling: Resampling

    @property
    def right(self) -> BoolArray:
        """Whether each call is right, (N,)."""
        found: BoolArray = (self.scores >= self.threshold) == (self.labels > 0)
        return found


def signals(
    probabilities: FloatArray,
    logits: npt.NDArray[np.floating],
    window_logits: npt.NDArray[np.floating] | None = None,
) -> dict[str, FloatArray]:
    """How doubtful each slice is by each signal, (N,); larger is more doubtful.

    Args:
        probabilities: (N, 6), calibrated.
        logits: (N, 6), before calibration.
        window_logits: (N, 10, 6) of the stage-2 head; None for networks that have none.
    """
    p = probabilities[:, ANY]
    found: dict[str, FloatArray] = {ENTROPY: entr(p) + entr(1.0 - p)}
    if window_logits is not None:
        each = np.asarray(window_logits[..., ANY], np.float64)
        found[WINDOW_VARIANCE] = each.var(axis=1)
        found[LSTM_GAP] = np.abs(logits[:, ANY] - each.mean(axis=1))
    return found


def limits(validation: Signals) -> dict[str, float]:
    """The 95th percentile of each signal over validation slices."""
    return {name: float(np.percentile(one, PERCENTILE)) for name, one in validation.items()}


def table(test: Signals, cuts: Mapping[str, float], calls: Calls) -> Table:
    """What is withheld by each signal, and how good the rest is, on test slices.

    Args:
        test: signals (N,) by name.
        cuts: limit of each; a slice beyond it is not answered.
        calls: of the same N slices.
    """
    everything = np.ones(len(calls.scores), dtype=np.bool_)
    nothing = np.zeros(len(calls.scores))  # a signal that orders nothing
    rows = [_row(NOBODY, everything, nothing, None, calls)]
    for name, signal in test.items():
        rows.append(_row(name, signal <= cuts[name], signal, cuts[name], calls))
    return Table(TITLE, COLUMNS, tuple(rows))


def curves(test: Signals, calls: Calls) -> tuple[Curve, ...]:
    """Risk (y) of the surest share (x) of the slices, one curve per signal, without intervals."""
    weights = class_weights(calls.labels, calls.prevalence)
    found = []
    for name, signal in test.items():
        order, errors = ordered(signal, ~calls.right, weights)
        kept = np.cumsum(weights[order])
        risk = np.cumsum(weights[order] * errors) / kept
        ends = np.linspace(0, len(order), CURVE_POINTS + 1)[1:].round().astype(np.intp)
        places = np.unique(np.maximum(ends, 1)) - 1
        found.append(
            Curve(
                kind=f"risk by coverage, {name}",
                label="any",
                x=tuple((places + 1.0) / len(order)),
                y=tuple(defined(risk[place]) for place in places),
                low=(None,) * len(places),
                high=(None,) * len(places),
                slices=tuple(int(place) + 1 for place in places),
            )
        )
    return tuple(found)


def ordered(
    signal: FloatArray, wrong: BoolArray, weights: FloatArray
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Slices (N,) from sure to doubtful, and their errors in this order.

    Slices of equal doubt have no order: each takes the mean error of all of them.
    """
    _, place = np.unique(signal, return_inverse=True)
    mass, sums = np.bincount(place, weights), np.bincount(place, weights * wrong)
    order = np.argsort(signal, kind="stable")
    return order, (sums / mass)[place][order]


def area_under_risk(errors: FloatArray, weights: FloatArray) -> FloatArray:
    """AURC of errors (N,) from sure to doubtful under weights (N, ...): (...)."""
    kept = np.cumsum(weights, axis=0)
    sums = np.cumsum(weights * errors.reshape(-1, *(1,) * (weights.ndim - 1)), axis=0)
    risk = np.divide(sums, kept, out=np.zeros_like(kept), where=kept > 0)
    total: FloatArray = (weights * risk).sum(axis=0) / kept[-1]
    return total


def _row(name: str, kept: BoolArray, signal: FloatArray, cut: float | None, calls: Calls) -> Row:
    pair = np.stack([kept, kept & calls.right], axis=-1).astype(np.float64)
    share, right = mean_at(pair, calls.labels, calls.prevalence)
    drawn = mean_replicates_at(pair, calls.labels, calls.prevalence, calls.resampling)
    accuracy = right / share if share > 0 else np.nan
    spread = np.full(len(drawn), np.nan)
    np.divide(drawn[:, 1], drawn[:, 0], out=spread, where=drawn[:, 0] > 0)
    # Rounding may carry the kept share a bit beyond 1.
    figures = {
        "abstained": estimate(
            float(np.maximum(0.0, 1.0 - share)), np.maximum(0.0, 1.0 - drawn[:, 0])
        ),
        "accuracy": estimate(float(accuracy), spread),
        "auroc": _auroc(kept, calls),
        "aurc": _aurc(signal, calls),
    }
    rows = int(kept.sum())
    return Row(name, figures, int(calls.labels[kept].sum()), cut, slices=rows)


def _auroc(kept: BoolArray, calls: Calls) -> Estimate:
    rows = np.flatnonzero(kept)
    if not len(rows):
        return Estimate(None)
    part = Resampling(calls.resampling.draws, calls.resampling.patient_of_slice[rows])
    area = metrics.auroc(calls.scores[rows], calls.labels[rows])
    drawn = intervals.ranking_replicates(calls.scores[rows], calls.labels[rows], part)[0]
    return estimate(np.nan if area is None else area, drawn)


def _aurc(signal: FloatArray, calls: Calls) -> Estimate:
    weights = class_weights(calls.labels, calls.prevalence)
    if np.isnan(weights).any():
        return Estimate(None)
    order, errors = ordered(signal, ~calls.right, weights)
    present, patients = calls.labels[order] > 0, calls.resampling.patient_of_slice[order]
    drawn = np.full(calls.resampling.draws.shape[1], np.nan)
    for span, draws in calls.resampling.chunks():
        drawn[span] = area_under_risk(errors, _weights(draws[patients], present, calls.prevalence))
    return estimate(float(area_under_risk(errors, weights[order])), drawn)


def _weights(drawn: FloatArray, present: BoolArray, prevalence: float | None) -> FloatArray:
    """Weights (N, B) of replicates, positives weighed to the prevalence; NaN without a class."""
    if prevalence is None:
        return drawn
    weights = np.empty_like(drawn)
    for members, share in ((present, prevalence), (~present, 1.0 - prevalence)):
        total = drawn[members].sum(axis=0)
        weights[members] = drawn[members] * (share / np.where(total > 0, total, np.nan))
    return weights
