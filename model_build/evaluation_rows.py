"""Evaluation rows: point values and bootstrap replicates become the rows of a table.

values (6, M) + replicates (B, 6, M) -> six labels, macro of 6, macro of the 5 subtypes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from model_build import intervals, metrics
from model_build.evaluation_table import Estimate, Row
from model_build.metrics import FloatArray
from service.types import LABELS

MACRO_ALL, MACRO_SUBTYPES, MICRO = "macro of 6", "macro of 5 subtypes", "micro of 6"
BINOMIAL_RATES = 5  # the first of RATES are shares of slices; F1, the last, is not


def rows_of(
    columns: Sequence[str],
    values: FloatArray,
    spread: FloatArray,
    labels: npt.NDArray[np.integer],
    tallies: FloatArray | None = None,
    thresholds: Sequence[float | None] = (None,) * len(LABELS),
) -> tuple[Row, ...]:
    """Six label rows and two macro rows.

    Args:
        columns: M names.
        values: (6, M), NaN where undefined.
        spread: the replicates of `values`, (B, 6, M).
        labels: (N, 6), for the count of positives.
        tallies: outcomes by patient, (P, 6, 4), where the columns are `metrics.RATES`.
        thresholds: of each label, where the figures depend on one.
    """
    rows = []
    for label, name in enumerate(LABELS):
        behind = None if tallies is None else patients_behind(tallies[:, label])
        figures = figures_of(columns, values[label], spread[:, label], behind)
        rows.append(Row(name, figures, int(labels[:, label].sum()), thresholds[label]))
    subtypes = [index for index, name in enumerate(LABELS) if name != "any"]
    for name, chosen in ((MACRO_ALL, [*range(len(LABELS))]), (MACRO_SUBTYPES, subtypes)):
        # NaN passes through the mean: an average over six labels is over six, or not defined.
        figures = figures_of(columns, values[chosen].mean(axis=0), spread[:, chosen].mean(axis=1))
        rows.append(Row(name, figures))
    return tuple(rows)


def figures_of(
    columns: Sequence[str],
    values: FloatArray,
    spread: FloatArray,
    patients: Sequence[int] | None = None,
) -> Mapping[str, Estimate]:
    """One row's estimates from values (M,) and replicates (B, M), keyed by column.

    `patients` is what `patients_behind` says of the row; without it no exact interval is given.
    """
    return {
        column: estimate(
            float(values[index]),
            spread[:, index],
            patients[index] if patients and index < BINOMIAL_RATES else 0,
        )
        for index, column in enumerate(columns)
    }


def estimate(value: float, replicates: FloatArray, patients: int = 0) -> Estimate:
    """The figure with its bootstrap interval, or an exact one for a share of 0 or 1.

    A bootstrap of a perfect share has no width. Clopper-Pearson over the patients behind it (one
    trial each, the cautious count) has: 20 of 20 is 83 to 100 %.
    """
    point = metrics.defined(value)
    if point is None:
        return Estimate(None)
    if patients and point in (0.0, 1.0):
        exact = intervals.clopper_pearson(int(point) * patients, patients)
        return Estimate(point, exact.low, exact.high, "Clopper-Pearson")
    found = intervals.percentile(replicates)
    if found is None:
        return Estimate(point)
    return Estimate(point, found.low, found.high, "patient bootstrap")


def patients_behind(tallies: FloatArray) -> Sequence[int]:
    """How many patients have a slice in the denominator of each rate; tallies (P, 4)."""
    tp, fp, tn, fn = tallies.T > 0
    groups = (tp | fn, tn | fp, tp | fp, tn | fn, tp | fp | tn | fn)
    return [int(group.sum()) for group in groups]
