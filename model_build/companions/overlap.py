"""Overlap: Dice and Jaccard of predicted and true masks, per subtype, with intervals.

masks -> `counts` (N, 3) pixels -> `table`: rows by subtype and overall, patients resampled

A network of one output says where blood is, not which kind. The row of a subtype therefore takes
the slices that show it, whatever else they show. Slices without a true mask have no Dice; what is
drawn on them is counted by `false_alarms`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from model_build import intervals
from model_build.evaluation_rows import estimate
from model_build.evaluation_table import Row, Table
from model_build.metrics import FloatArray
from service.types import LABELS

Counts = npt.NDArray[np.int64]  # (N, 3): pixels in both masks, predicted, true

OVERALL = "any"
# "dice" and "jaccard" are means over slices, the pooled ones come from all pixels together.
COLUMNS: tuple[str, ...] = ("dice", "jaccard", "pooled_dice", "pooled_jaccard")
# Claimed by Hssayeni et al. 2020 (Dice only), not reproduced here.
CLAIMED_DICE: Mapping[str, float] = {
    "any": 0.31,
    "subdural": 0.52,
    "epidural": 0.35,
    "intraventricular": 0.30,
    "intraparenchymal": 0.28,
    "subarachnoid": 0.23,
}


def counts(predicted: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> Counts:
    """Pixels of each slice in both masks, in the predicted and in the true one: (N, 3).

    Raises:
        ValueError: the masks (N, S, S) differ in shape.
    """
    if predicted.shape != true.shape:
        raise ValueError("predicted and true masks must have one shape")
    each = (predicted & true, predicted, true)
    return np.stack([mask.sum(axis=(1, 2), dtype=np.int64) for mask in each], axis=1)


def dice(found: npt.NDArray[np.number]) -> FloatArray:
    """2 |A and B| / (|A| + |B|) of counts (..., 3); NaN where the true mask is empty."""
    both, predicted, true = np.moveaxis(found.astype(np.float64), -1, 0)
    return np.where(true > 0, 2 * both / np.maximum(predicted + true, 1.0), np.nan)


def jaccard(found: npt.NDArray[np.number]) -> FloatArray:
    """|A and B| / |A or B| of counts (..., 3); NaN where the true mask is empty."""
    both, predicted, true = np.moveaxis(found.astype(np.float64), -1, 0)
    return np.where(true > 0, both / np.maximum(predicted + true - both, 1.0), np.nan)


def table(
    found: Counts,
    labels: npt.NDArray[np.integer],
    patients: Sequence[str],
    seed: int,
    replicates: int = intervals.REPLICATES,
) -> Table:
    """Dice and Jaccard by subtype and overall, with 95 % intervals by patient bootstrap.

    Args:
        found: of every slice, (N, 3).
        labels: (N, 6), 0 or 1.
        patients: (N,) keys.
        seed: of the bootstrap.
        replicates: of the bootstrap.

    Raises:
        ValueError: the arguments differ in length.
    """
    if labels.shape != (len(found), len(LABELS)) or len(patients) != len(found):
        raise ValueError("counts, labels and patients need one row per slice")
    keys = np.asarray(patients)
    rows = []
    for column, name in enumerate(LABELS):
        chosen = found[:, 2] > 0
        if name != OVERALL:
            chosen &= labels[:, column] > 0
        rows.append(_row(name, found[chosen], keys[chosen], seed, replicates))
    return Table("Overlap of predicted and true masks", COLUMNS, tuple(rows))


def false_alarms(found: Counts) -> Mapping[str, float | int | None]:
    """How many slices without blood got any, and how many with blood got none."""
    predicted, true = found[:, 1] > 0, found[:, 2] > 0
    clean, bloody = int((~true).sum()), int(true.sum())
    return {
        "slices_without_mask": clean,
        "share_of_them_with_prediction": float(predicted[~true].mean()) if clean else None,
        "slices_with_mask": bloody,
        "share_of_them_without_prediction": float((~predicted[true]).mean()) if bloody else None,
    }


def _row(
    name: str, found: Counts, patients: npt.NDArray[np.str_], seed: int, replicates: int
) -> Row:
    if not len(found):
        undefined = estimate(np.nan, np.full(1, np.nan))
        return Row(name, dict.fromkeys(COLUMNS, undefined), 0)
    resampling = intervals.draw(patients, replicates, seed)
    pooled = intervals.sum_replicates(found, resampling)  # (B, 3)
    each = np.stack([dice(found), jaccard(found)], axis=1)  # (N, 2)
    means = intervals.mean_replicates(each, resampling)  # (B, 2)
    whole = found.sum(axis=0)
    values = [*each.mean(axis=0), float(dice(whole)), float(jaccard(whole))]
    spread = [means[:, 0], means[:, 1], dice(pooled), jaccard(pooled)]
    figures = {
        column: estimate(float(value), replicate)
        for column, value, replicate in zip(COLUMNS, values, spread, strict=True)
    }
    return Row(name, figures, len(found))
