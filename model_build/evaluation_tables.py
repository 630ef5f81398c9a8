"""Evaluation tables: discrimination, calibration, operating rates and projected PPV of one model.

Arrays as for `evaluate.evaluate_scores`; `prevalence` is, per label, what the probabilities assume
and what every figure that depends on prevalence is weighed to (see `prevalence`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_build import intervals, metrics
from model_build.evaluation_rows import MICRO, figures_of, patients_behind, rows_of
from model_build.evaluation_table import Row, Table
from model_build.intervals import Resampling
from model_build.metrics import FloatArray
from model_build.prevalence import (
    Prevalences,
    class_weights,
    counts_at,
    mean_at,
    mean_replicates_at,
)
from model_build.reliability import COX, cox_figures
from service.types import LABELS

Labels = npt.NDArray[np.integer]

SCORES: tuple[str, ...] = ("auroc", "average_precision", "log_loss", "brier", "ece")
# The challenge data hold 14.5 % positive slices; where hemorrhage is rarer, so is a true alarm.
PREVALENCES: dict[str, float] = {
    "at 2 %": 0.02,
    "at 6 %": 0.06,
    "at 10 %": 0.10,
    "at 14.5 %": 0.145,
}


def discrimination(
    probabilities: FloatArray, labels: Labels, prevalence: Prevalences, resampling: Resampling
) -> Table:
    """Threshold-free figures per label and their macro averages."""
    values = np.full((len(LABELS), len(SCORES)), np.nan)
    spread = np.full((resampling.draws.shape[1], *values.shape), np.nan)
    for label, share in enumerate(prevalence):
        column = probabilities[:, label], labels[:, label], share
        values[label], spread[:, label] = _scores(*column, resampling)
    title = "Discrimination and calibration (no threshold)"
    return Table(title, SCORES, rows_of(SCORES, values, spread, labels))


def calibration(
    probabilities: FloatArray, labels: Labels, prevalence: Prevalences, resampling: Resampling
) -> Table:
    """Cox slope and intercept per label (evaluation spec section 6)."""
    found = [
        cox_figures(probabilities[:, label], labels[:, label], resampling, share)
        for label, share in enumerate(prevalence)
    ]
    values, spread = np.stack([pair[0] for pair in found]), np.stack([pair[1] for pair in found], 1)
    rows = rows_of(COX, values, spread, labels)[: len(LABELS)]
    return Table("Calibration: slope (right is 1) and intercept (right is 0)", COX, rows)


def operating(
    title: str,
    probabilities: FloatArray,
    labels: Labels,
    thresholds: Sequence[float],
    prevalence: Prevalences,
    resampling: Resampling,
) -> Table:
    """Rates per label at its threshold, macro averages, and micro from pooled counts."""
    marks = metrics.outcomes(probabilities, labels, thresholds)
    counts, drawn = (
        np.stack([counts_at(found[..., k, :], share) for k, share in enumerate(prevalence)], -2)
        for found in (marks.sum(axis=0), intervals.sum_replicates(marks, resampling))
    )
    tallies = intervals.per_patient(marks, resampling)
    names = metrics.RATES
    rows = rows_of(
        names, metrics.rates(counts), metrics.rates(drawn), labels, tallies, tuple(thresholds)
    )
    pooled = metrics.rates(counts.sum(axis=0)), metrics.rates(drawn.sum(axis=1))
    figures = figures_of(names, *pooled, patients_behind(tallies.sum(axis=1)))
    return Table(title, names, (*rows, Row(MICRO, figures)))


def projection(
    probabilities: FloatArray, labels: Labels, thresholds: Sequence[float], resampling: Resampling
) -> Table:
    """PPV that the operating thresholds would give at other prevalences of the label."""
    marks = metrics.outcomes(probabilities, labels, thresholds)
    found = metrics.rates(marks.sum(axis=0))
    drawn = metrics.rates(intervals.sum_replicates(marks, resampling))
    columns = tuple(PREVALENCES)
    values, spread = (
        np.stack(
            [
                metrics.projected_ppv(rates[..., 0], rates[..., 1], prevalence)
                for prevalence in PREVALENCES.values()
            ],
            axis=-1,
        )
        for rates in (found, drawn)
    )
    rows = rows_of(columns, values, spread, labels)[: len(LABELS)]
    return Table("PPV at the operating thresholds, by prevalence (%)", columns, rows)


def aurocs(scores: FloatArray, labels: Labels, resampling: Resampling) -> tuple[FloatArray, ...]:
    """AUROC per label, (6,), and in every replicate, (B, 6); NaN where undefined."""
    columns = range(len(LABELS))
    points = [metrics.auroc(scores[:, label], labels[:, label]) for label in columns]
    replicates = [
        intervals.ranking_replicates(scores[:, label], labels[:, label], resampling)[0]
        for label in columns
    ]
    return np.array([_number(point) for point in points]), np.stack(replicates, axis=-1)


def _scores(
    scores: FloatArray, truth: Labels, share: float | None, resampling: Resampling
) -> tuple[FloatArray, FloatArray]:
    """The five `SCORES` of one label, (5,), and their replicates, (B, 5)."""
    weights = class_weights(truth, share)
    losses = [
        measure(scores[:, None], truth[:, None])[:, 0]
        for measure in (metrics.cross_entropies, metrics.squared_errors)
    ]
    gaps = metrics.bin_gaps(scores, truth, weights)
    ece = np.abs(mean_at(gaps, truth, share)).sum()
    values = np.array(
        [
            _number(metrics.auroc(scores, truth)),
            _number(metrics.average_precision(scores, truth, weights)),
            *(mean_at(loss, truth, share) for loss in losses),
            ece,
        ]
    )
    # Bins stay those of the full sample: what varies is who is in them.
    errors = np.abs(mean_replicates_at(gaps, truth, share, resampling)).sum(axis=1)
    # Resampling noise can only lengthen a gap, so the replicates lie too high on average; for
    # a well calibrated label their interval would not even hold the figure itself.
    known = errors[~np.isnan(errors)]
    errors = np.maximum(errors - (known.mean() if len(known) else np.nan) + ece, 0.0)
    spread = [
        *intervals.ranking_replicates(scores, truth, resampling, share),
        *(mean_replicates_at(loss, truth, share, resampling) for loss in losses),
        errors,
    ]
    return values, np.stack(spread, axis=-1)


def _number(value: float | None) -> float:
    return np.nan if value is None else value
