"""Evaluate: every published kind of figure of a model, from its probabilities, with intervals.

logits -> `artifact.calibrated` -> probabilities (N, 6) ┐
labels (N, 6), patient keys (N,), thresholds (6,) ───────┴> `evaluate_scores` -> EvaluationReport

No network here: a model, the baseline and a reader's table are evaluated by the same code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_build import evaluation_tables, intervals, metrics
from model_build.evaluation_report import EvaluationReport
from model_build.evaluation_rows import estimate, rows_of
from model_build.evaluation_table import Estimate, Table
from model_build.intervals import Resampling
from model_build.metrics import FloatArray
from model_build.prevalence import (
    HALF_POSITIVE,
    UNCHANGED,
    Prevalences,
    mean_at,
    mean_replicates_at,
    shift,
)
from model_build.reliability import reliability_curve
from service.types import LABELS

Labels = npt.NDArray[np.integer]
Patients = Sequence[str] | npt.NDArray[np.generic]

COMPARISON: tuple[str, ...] = ("auroc", "baseline_auroc", "difference")
BASELINE_TITLE = "AUROC against the threshold-and-area baseline"
PAPER_THRESHOLD = 0.5  # the paper names none; everyone reads its tables as this
DIMENSIONS = 2


def evaluate_scores(
    probabilities: FloatArray,
    labels: Labels,
    patients: Patients,
    thresholds: Sequence[float],
    *,
    prevalence: Prevalences = UNCHANGED,
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
        prevalence: six, what the probabilities assume; losses, calibration and predictive values
            are weighed to it. None for a label: its share among the rows is taken as it is.
        level: "slice" or "series"; only named in the report.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: shapes that do not fit, values outside their range (logits, for one).
    """
    _check(probabilities, labels, patients)
    if len(thresholds) != len(LABELS) or len(prevalence) != len(LABELS):
        raise ValueError("one threshold and one prevalence per label are needed")
    resampling = intervals.draw(patients, replicates, seed)
    half = (PAPER_THRESHOLD,) * len(LABELS)
    arrays = probabilities, labels
    any_column = LABELS.index("any")
    consistent = probabilities[:, any_column] >= probabilities.max(axis=1)
    report = EvaluationReport(
        level=level,
        slices=len(probabilities),
        patients=len(resampling.draws),
        replicates=replicates,
        seed=seed,
        any_consistent_share=float(consistent.mean()),
        challenge_loss=_challenge_loss(*arrays, prevalence, resampling),
        discrimination=evaluation_tables.discrimination(*arrays, prevalence, resampling),
        at_half=evaluation_tables.operating(
            "At threshold 0.5 (%)", *arrays, half, prevalence, resampling
        ),
        at_thresholds=evaluation_tables.operating(
            "At the operating thresholds (%)", *arrays, thresholds, prevalence, resampling
        ),
        ppv_at_prevalence=evaluation_tables.projection(*arrays, thresholds, resampling),
        assumed_prevalence=tuple(prevalence),
    )
    tables = [evaluation_tables.calibration(*arrays, prevalence, resampling)]
    if any(share is not None for share in prevalence):
        tables.append(_at_half_positive(*arrays, prevalence, resampling))
    curves = tuple(
        reliability_curve(probabilities[:, k], labels[:, k], resampling, name, prevalence[k])
        for k, name in enumerate(LABELS)
    )
    return report.with_more(*tables, curves=curves)


def compare_auroc(
    probabilities: FloatArray,
    baseline: FloatArray,
    labels: Labels,
    patients: Patients,
    *,
    title: str = BASELINE_TITLE,
    columns: tuple[str, ...] = COMPARISON,
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
) -> Table:
    """AUROC of a model and of the baseline, and their difference, on the same slices.

    Both are computed on the same replicates, so the interval of the difference is that of a paired
    comparison. Shapes as for `evaluate_scores`; `columns` names the three figures.

    Raises:
        ValueError: as `evaluate_scores`.
    """
    for scores in (probabilities, baseline):
        _check(scores, labels, patients)
    resampling = intervals.draw(patients, replicates, seed)
    ours, theirs = (
        evaluation_tables.aurocs(scores, labels, resampling) for scores in (probabilities, baseline)
    )
    values = np.stack([ours[0], theirs[0], ours[0] - theirs[0]], axis=-1)
    spread = np.stack([ours[1], theirs[1], ours[1] - theirs[1]], axis=-1)
    return Table(title, columns, rows_of(columns, values, spread, labels))


def _challenge_loss(
    probabilities: FloatArray, labels: Labels, prevalence: Prevalences, resampling: Resampling
) -> Estimate:
    """The challenge's weighted log loss: the weighted mean of the labels' log losses."""
    losses = metrics.cross_entropies(probabilities, labels)
    weights = metrics.CHALLENGE_WEIGHTS / metrics.CHALLENGE_WEIGHTS.sum()
    pairs = [
        (mean_at(*column), mean_replicates_at(*column, resampling))
        for column in zip(losses.T, labels.T, prevalence, strict=True)
    ]
    value = sum(weight * pair[0] for weight, pair in zip(weights, pairs, strict=True))
    spread = sum(weight * pair[1] for weight, pair in zip(weights, pairs, strict=True))
    return estimate(float(value), np.asarray(spread))


def _at_half_positive(
    probabilities: FloatArray, labels: Labels, prevalence: Prevalences, resampling: Resampling
) -> Table:
    """The paper's table at the prevalence of its subset, where half of the slices are positive."""
    target = tuple(
        None if old is None else new for old, new in zip(prevalence, HALF_POSITIVE, strict=True)
    )
    moved = shift(probabilities, prevalence, target)
    half = (PAPER_THRESHOLD,) * len(LABELS)
    title = "At threshold 0.5 where half of the slices are positive, as in the papers' subset (%)"
    return evaluation_tables.operating(title, moved, labels, half, target, resampling)


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
