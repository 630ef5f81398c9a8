"""Evaluate: every published kind of figure of a model, from its probabilities, with intervals.

logits -> `artifact.calibrated` -> probabilities (N, 6) ┐
labels (N, 6), patient keys (N,), thresholds (6,) ───────┴> `evaluate_scores` -> EvaluationReport

No network here: a model, the baseline and a reader's table are evaluated by the same code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_build import intervals, metrics
from model_build.evaluation_report import EvaluationReport, Row, Table
from model_build.evaluation_rows import MICRO, estimate, figures_of, patients_behind, rows_of
from model_build.intervals import Resampling
from model_build.metrics import FloatArray
from service.types import LABELS

Labels = npt.NDArray[np.integer]
Patients = Sequence[str] | npt.NDArray[np.generic]

SCORES: tuple[str, ...] = ("auroc", "average_precision", "log_loss", "brier", "ece")
COMPARISON: tuple[str, ...] = ("auroc", "baseline_auroc", "difference")
# The challenge data hold 14.5 % positive slices; where hemorrhage is rarer, so is a true alarm.
PREVALENCES: dict[str, float] = {
    "at 2 %": 0.02,
    "at 6 %": 0.06,
    "at 10 %": 0.10,
    "at 14.5 %": 0.145,
}
PAPER_THRESHOLD = 0.5  # the paper names none; everyone reads its tables as this
DIMENSIONS = 2


def evaluate_scores(
    probabilities: FloatArray,
    labels: Labels,
    patients: Patients,
    thresholds: Sequence[float],
    *,
    level: str = "slice",
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
) -> EvaluationReport:
    """Evaluate one model on one set of slices (or of series: say so in `level`).

    Args:
        probabilities: (N, 6) in 0..1, calibrated, in the order of `LABELS`.
        labels: (N, 6), 0 or 1.
        patients: key of the patient of each row, (N,); they are what is resampled.
        thresholds: six operating thresholds, chosen on other patients.
        level: "slice" or "series"; only named in the report.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: shapes that do not fit, values outside their range (logits, for one).
    """
    _check(probabilities, labels, patients)
    if len(thresholds) != len(LABELS):
        raise ValueError("one threshold per label is needed")
    resampling = intervals.draw(patients, replicates, seed)
    losses = metrics.challenge_losses(probabilities, labels)
    loss_replicates = intervals.mean_replicates(losses, resampling)
    half = (PAPER_THRESHOLD,) * len(LABELS)
    any_column = LABELS.index("any")
    consistent = probabilities[:, any_column] >= probabilities.max(axis=1)
    return EvaluationReport(
        level=level,
        slices=len(probabilities),
        patients=len(resampling.draws),
        replicates=replicates,
        seed=seed,
        any_consistent_share=float(consistent.mean()),
        challenge_loss=estimate(float(losses.mean()), loss_replicates),
        discrimination=_discrimination(probabilities, labels, resampling),
        at_half=_operating("At threshold 0.5 (%)", probabilities, labels, half, resampling),
        at_thresholds=_operating(
            "At the operating thresholds (%)", probabilities, labels, thresholds, resampling
        ),
        ppv_at_prevalence=_projection(probabilities, labels, thresholds, resampling),
    )


def compare_auroc(
    probabilities: FloatArray,
    baseline: FloatArray,
    labels: Labels,
    patients: Patients,
    *,
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
) -> Table:
    """AUROC of a model and of the baseline, and their difference, on the same slices.

    Both are computed on the same replicates, so the interval of the difference is that of a paired
    comparison. Shapes as for `evaluate_scores`.

    Raises:
        ValueError: as `evaluate_scores`.
    """
    for scores in (probabilities, baseline):
        _check(scores, labels, patients)
    resampling = intervals.draw(patients, replicates, seed)
    ours, theirs = (_aurocs(scores, labels, resampling) for scores in (probabilities, baseline))
    values = np.stack([ours[0], theirs[0], ours[0] - theirs[0]], axis=-1)
    spread = np.stack([ours[1], theirs[1], ours[1] - theirs[1]], axis=-1)
    rows = rows_of(COMPARISON, values, spread, labels)
    return Table("AUROC against the threshold-and-area baseline", COMPARISON, rows)


def _discrimination(probabilities: FloatArray, labels: Labels, resampling: Resampling) -> Table:
    """Threshold-free figures per label and their macro averages."""
    cross, squared = (
        measure(probabilities, labels)
        for measure in (metrics.cross_entropies, metrics.squared_errors)
    )
    values = np.full((len(LABELS), len(SCORES)), np.nan)
    spread = np.full((resampling.draws.shape[1], *values.shape), np.nan)
    for label in range(len(LABELS)):
        scores, truth = probabilities[:, label], labels[:, label]
        points = (metrics.auroc(scores, truth), metrics.average_precision(scores, truth))
        gaps = metrics.bin_gaps(scores, truth)
        values[label] = [
            *(np.nan if point is None else point for point in points),
            cross[:, label].mean(),
            squared[:, label].mean(),
            np.abs(gaps.mean(axis=0)).sum(),
        ]
        spread[:, label, :2] = np.stack(
            intervals.ranking_replicates(scores, truth, resampling), axis=-1
        )
        # Bins stay those of the full sample: what varies is who is in them.
        errors = np.abs(intervals.mean_replicates(gaps, resampling)).sum(axis=1)
        # Resampling noise can only lengthen a gap, so the replicates lie too high on average; for
        # a well calibrated label their interval would not even hold the figure itself.
        spread[:, label, 4] = np.maximum(errors - errors.mean() + values[label, 4], 0.0)
    spread[:, :, 2] = intervals.mean_replicates(cross, resampling)
    spread[:, :, 3] = intervals.mean_replicates(squared, resampling)
    title = "Discrimination and calibration (no threshold)"
    return Table(title, SCORES, rows_of(SCORES, values, spread, labels))


def _operating(
    title: str,
    probabilities: FloatArray,
    labels: Labels,
    thresholds: Sequence[float],
    resampling: Resampling,
) -> Table:
    """Rates per label at its threshold, macro averages, and micro from pooled counts."""
    marks = metrics.outcomes(probabilities, labels, thresholds)
    counts, drawn = marks.sum(axis=0), intervals.sum_replicates(marks, resampling)
    tallies = intervals.per_patient(marks, resampling)
    names = metrics.RATES
    rows = rows_of(
        names, metrics.rates(counts), metrics.rates(drawn), labels, tallies, tuple(thresholds)
    )
    pooled = metrics.rates(counts.sum(axis=0)), metrics.rates(drawn.sum(axis=1))
    figures = figures_of(names, *pooled, patients_behind(tallies.sum(axis=1)))
    return Table(title, names, (*rows, Row(MICRO, figures)))


def _projection(
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


def _aurocs(
    scores: FloatArray, labels: Labels, resampling: Resampling
) -> tuple[FloatArray, FloatArray]:
    """AUROC per label, (6,), and in every replicate, (B, 6)."""
    columns = range(len(LABELS))
    points = [metrics.auroc(scores[:, label], labels[:, label]) for label in columns]
    replicates = [
        intervals.ranking_replicates(scores[:, label], labels[:, label], resampling)[0]
        for label in columns
    ]
    values = np.array([np.nan if point is None else point for point in points])
    return values, np.stack(replicates, axis=-1)


def _check(probabilities: FloatArray, labels: Labels, patients: Patients) -> None:
    if probabilities.ndim != DIMENSIONS or probabilities.shape[1] != len(LABELS):
        raise ValueError("probabilities must be (N, 6)")
    if labels.shape != probabilities.shape or len(patients) != len(labels) or not len(labels):
        raise ValueError("labels and patients must have one row per row of probabilities")
    # NaN fails the comparison as well, which min() and max() would let through.
    if not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError("probabilities must lie in 0..1; calibrate logits first")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
