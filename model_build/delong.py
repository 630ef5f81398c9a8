"""DeLong: the AUROC of independent rows with its interval in closed form, no resampling.

scores (K, N), labels (N,) -> midranks -> areas (K,), covariance (K, K) -> `table`

DeLong, DeLong & Clarke-Pearson 1988 (Biometrics 44, 837), by the midranks of Sun & Xu 2014 (IEEE
Signal Processing Letters 21, 1389). It takes every row for independent, which slices of a series
and series of a patient are not: the table has one series per patient, and no slices (evaluation
spec section 7).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

from model_build.evaluation_table import Estimate, Row, Table
from model_build.intervals import CONFIDENCE
from model_build.metrics import FloatArray, defined
from model_build.series_level import SeriesModel, SeriesRows
from service.types import LABELS

METHOD = "DeLong"
COLUMNS: tuple[str, ...] = ("auroc", "max_auroc", "difference")
CONTRASTS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])  # of learned score and largest slice
FEWEST = 2  # of each class: a variance needs two
NO_WIDTH = 1e-12


def areas(scores: FloatArray, labels: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
    """AUROC of K scores on the same rows, and the covariance of these K figures.

    Args:
        scores: (K, N), any monotone scale; ties count half.
        labels: (N,), 0 or 1; the rows are independent of each other.

    Returns:
        (K,) areas and (K, K) covariance. Areas are NaN without both classes, the covariance with
        fewer than two rows of a class.
    """
    present = labels > 0
    positives, negatives = int(present.sum()), int((~present).sum())
    count = len(scores)
    if not positives or not negatives:
        return np.full(count, np.nan), np.full((count, count), np.nan)
    pooled = rankdata(scores, axis=1)  # average ranks: the midranks of the paper
    # Share of the other class that a row beats, for each positive and each negative row.
    won = (pooled[:, present] - rankdata(scores[:, present], axis=1)) / negatives
    lost = 1.0 - (pooled[:, ~present] - rankdata(scores[:, ~present], axis=1)) / positives
    found: FloatArray = won.mean(axis=1)
    if min(positives, negatives) < FEWEST:
        return found, np.full((count, count), np.nan)
    spread = _covariance(won) / positives + _covariance(lost) / negatives
    return found, spread


def estimate(value: float, variance: float, least: float = 0.0) -> Estimate:
    """A figure with its normal interval, cut to least..1; none where there is no variance."""
    point = defined(value)
    half = float(norm.ppf(0.5 + CONFIDENCE / 2.0)) * np.sqrt(max(variance, 0.0))
    if point is None or not half > NO_WIDTH:  # NaN is no width either
        return Estimate(point)
    low, high = np.clip([point - half, point + half], least, 1.0)
    return Estimate(point, float(low), float(high), METHOD)


def table(rows: SeriesRows, model: SeriesModel | None) -> Table:
    """AUROC over one series per patient by the learned score and the largest slice.

    Where a patient has several series, the first by key stands for all. Without a model the table
    has the largest slice only.
    """
    rows = one_per_patient(rows)
    scores = [rows.largest] if model is None else [model.score(rows), rows.largest]
    columns = COLUMNS[1:2] if model is None else COLUMNS
    contrasts = np.ones((1, 1)) if model is None else CONTRASTS
    found = []
    for k, label in enumerate(LABELS):
        truth = rows.labels[:, k]
        values, covariance = areas(np.stack([score[:, k] for score in scores]), truth)
        figures = {
            name: estimate(float(c @ values), float(c @ covariance @ c), least=float(c.min()))
            if name == "difference"
            else estimate(float(c @ values), float(c @ covariance @ c))
            for name, c in zip(columns, contrasts, strict=True)
        }
        found.append(Row(label, figures, int(truth.sum())))
    title = f"Series level by DeLong: AUROC over {len(rows.keys)} series, one per patient"
    return Table(title, columns, tuple(found))


def one_per_patient(rows: SeriesRows) -> SeriesRows:
    """The first series of each patient, in the order of the patients."""
    first = np.unique(np.asarray(rows.patients), return_index=True)[1]
    return SeriesRows(
        keys=tuple(rows.keys[row] for row in first),
        patients=tuple(rows.patients[row] for row in first),
        labels=rows.labels[first],
        summaries=rows.summaries[first],
    )


def _covariance(values: FloatArray) -> FloatArray:
    """Covariance (K, K) over the columns of (K, M); also for K = 1."""
    centred = values - values.mean(axis=1, keepdims=True)
    found: FloatArray = centred @ centred.T / (values.shape[1] - 1)
    return found
