"""Series level: one probability per label for a whole series, from those of its slices.

slice p (N, 6) + series keys -> largest, top three, noisy-or (as logits) -> logistic regression
                                                     fitted on validation series -> p (S, 6)

The noisy-or alone is over-confident, because the slices of a series are no independent witnesses
(evaluation spec section 7); how much each summary counts is learned. The plain maximum is reported
beside it: it needs no fit, and what does not beat it is not worth its weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from model_build import intervals
from model_build.evaluate import compare_auroc
from model_build.evaluation_rows import rows_of
from model_build.evaluation_table import Table
from model_build.evaluation_tables import aurocs
from model_build.metrics import FloatArray
from model_build.prevalence import logit

SUMMARIES: tuple[str, ...] = ("largest", "mean_of_top_3", "noisy_or")
TOP = 3
PENALTY = 1.0  # inverse strength; validation has tens of series, not thousands


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Slices gathered by series: rows in the order of the sorted series keys.

    `summaries` (S, 6, 3) are logits in the order of `SUMMARIES`; a series is positive for a label
    when one of its slices is; `patients` is that of its first slice.
    """

    keys: tuple[str, ...]
    patients: tuple[str, ...]
    labels: npt.NDArray[np.uint8]
    summaries: FloatArray

    @property
    def largest(self) -> FloatArray:
        """The largest slice probability, (S, 6)."""
        found: FloatArray = expit(self.summaries[..., 0])
        return found


@dataclass(frozen=True, slots=True)
class SeriesModel:
    """A logistic regression per label on the summaries: `weights` (6, 3), `intercepts` (6,)."""

    weights: FloatArray
    intercepts: FloatArray

    def score(self, rows: SeriesRows) -> FloatArray:
        """Probabilities (S, 6)."""
        found: FloatArray = expit((rows.summaries * self.weights).sum(axis=-1) + self.intercepts)
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain lists, for the manifest."""
        return {"weights": self.weights.tolist(), "intercepts": self.intercepts.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SeriesModel:
        """What `to_dict` wrote.

        Raises:
            ValueError: not weights of (L, 3) with L intercepts.
        """
        weights = np.asarray(data.get("weights", ()), dtype=np.float64)
        intercepts = np.asarray(data.get("intercepts", ()), dtype=np.float64)
        if weights.shape != (len(intercepts), len(SUMMARIES)) or not len(intercepts):
            raise ValueError("a series model needs three weights and an intercept per label")
        return cls(weights, intercepts)


def gather(
    probabilities: FloatArray,
    labels: npt.NDArray[np.integer],
    series: Sequence[str] | npt.NDArray[np.str_],
    patients: Sequence[str] | npt.NDArray[np.str_],
) -> SeriesRows:
    """Slices (N, L) to series, in any order of the slices."""
    keys, first, place = np.unique(np.asarray(series), return_index=True, return_inverse=True)
    odds = logit(probabilities)
    quiet = np.log1p(-np.clip(probabilities, 0.0, 1.0 - 1e-12))  # log of 1 - p
    rows, found = [], []
    for index in range(len(keys)):
        inside = place == index
        top = np.sort(odds[inside], axis=0)[-TOP:]
        # log odds of 1 - prod(1 - p), from the log of the product, without ever forming it.
        silent = np.minimum(quiet[inside].sum(axis=0), -1e-12)
        noisy = np.log(-np.expm1(silent)) - silent
        rows.append(np.stack([top[-1], top.mean(axis=0), noisy], axis=-1))
        found.append(labels[inside].max(axis=0))
    owners = np.asarray(patients)[first]
    return SeriesRows(
        keys=tuple(str(key) for key in keys),
        patients=tuple(str(owner) for owner in owners),
        labels=np.array(found, dtype=np.uint8),
        summaries=np.array(rows),
    )


def fit(rows: SeriesRows) -> SeriesModel:
    """Fit on validation series. A label of one class only keeps the largest slice as its score."""
    count = rows.labels.shape[1]
    weights, intercepts = np.zeros((count, len(SUMMARIES))), np.zeros(count)
    weights[:, 0] = 1.0
    for label in range(count):
        present = rows.labels[:, label]
        if present.min() == present.max():
            continue
        regression = LogisticRegression(C=PENALTY, max_iter=1000)
        regression.fit(rows.summaries[:, label], present)
        weights[label], intercepts[label] = regression.coef_[0], regression.intercept_[0]
    return SeriesModel(weights, intercepts)


def table(
    rows: SeriesRows,
    model: SeriesModel | None,
    *,
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
) -> Table:
    """AUROC of series by the learned score and by the largest slice, and their difference.

    Intervals are those of the bootstrap over patients, who may have several series. Without a
    model the table has the largest slice only.
    """
    title = f"Series level: AUROC over {len(rows.keys)} series"
    if model is not None:
        return compare_auroc(
            model.score(rows),
            rows.largest,
            rows.labels,
            rows.patients,
            title=title,
            columns=("auroc", "max_auroc", "difference"),
            replicates=replicates,
            seed=seed,
        )
    columns = ("max_auroc",)
    values, spread = aurocs(
        rows.largest, rows.labels, intervals.draw(rows.patients, replicates, seed)
    )
    shaped = rows_of(columns, values[:, None], spread[..., None], rows.labels)
    return Table(title, columns, shaped)
