"""Outliers: is a slice like those the network was validated on? Mahalanobis distance, and a gate.

embedding of validation (N, D) -> mean, shrunk covariance   one half of the patients
                               -> limit, 99.5th percentile  the other half
embedding of a slice           -> distance > limit -> "not assessed"

Lee et al. 2018 (NeurIPS) with one class, covariance after Ledoit & Wolf 2004; evaluation spec
section 9. Halves, because a mean fits the slices it is made of better than any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf

from model_build import intervals, metrics
from model_build.evaluation_rows import estimate
from model_build.evaluation_table import Estimate, Row, Table
from model_build.intervals import Resampling
from model_build.metrics import FloatArray

TITLE = "Out-of-distribution gate: Mahalanobis distance above the 99.5th percentile of validation"
COLUMNS: tuple[str, ...] = ("flagged", "auroc")
PERCENTILE = 99.5
TEST, ALL = "test", "all made-up outliers"


@dataclass(frozen=True, slots=True)
class Gate:
    """Mean (D,) and inverse covariance (D, D) of usual embeddings, and the largest usual distance.

    The limit is in the unit of `distances`.
    """

    mean: FloatArray
    precision: FloatArray
    limit: float

    def distances(self, embedding: npt.NDArray[np.floating]) -> FloatArray:
        """Mahalanobis distance of each embedding: (N, D) -> (N,)."""
        away = np.asarray(embedding, np.float64) - self.mean
        squares = np.einsum("nd,de,ne->n", away, self.precision, away, optimize=True)
        found: FloatArray = np.sqrt(np.maximum(squares, 0.0))
        return found


def fit(
    embedding: npt.NDArray[np.floating], patients: Sequence[str] | npt.NDArray[np.str_]
) -> Gate | None:
    """The gate of a network from validation embeddings (N, D); patients (N,) are kept together.

    None where there is nothing to fit: one patient, or embeddings that are all the same.
    """
    keys = np.unique(np.asarray(patients))
    first = np.isin(np.asarray(patients), keys[::2])
    known = np.asarray(embedding, np.float64)
    if first.all() or not known[first].std(axis=0).any():
        return None
    found = LedoitWolf().fit(known[first])
    unlimited = Gate(found.location_, found.precision_, np.inf)
    limit = float(np.percentile(unlimited.distances(known[~first]), PERCENTILE))
    return Gate(unlimited.mean, unlimited.precision, limit)


def table(
    gate: Gate | None,
    embedding_name: str,
    test: npt.NDArray[np.floating],
    outliers: Mapping[str, npt.NDArray[np.floating]],
    resampling: Resampling,
) -> Table:
    """The share that the gate flags of test slices and of each kind of outlier.

    `auroc` says how well the distance tells a kind from test slices, at any limit. Without a gate
    every figure is undefined.

    Args:
        gate: of the validation slices.
        embedding_name: which numbers of the network the embedding is, for the title.
        test: (N, D).
        outliers: (K, D) by kind.
        resampling: of the N test slices.
    """
    groups = {**outliers, ALL: np.concatenate(list(outliers.values()))}
    title = f"{TITLE} ({embedding_name})"
    if gate is None:
        nothing = dict.fromkeys(COLUMNS, Estimate(None))
        sizes = {TEST: len(test)} | {name: len(rows) for name, rows in groups.items()}
        return Table(title, COLUMNS, tuple(Row(n, nothing, slices=k) for n, k in sizes.items()))
    usual = gate.distances(test)
    flags = (usual > gate.limit).astype(np.float64)
    share = estimate(float(flags.mean()), intervals.mean_replicates(flags, resampling))
    figures = {"flagged": share, "auroc": Estimate(None)}
    rows = [Row(TEST, figures, threshold=gate.limit, slices=len(test))]
    rows += [_row(name, gate, usual, gate.distances(found)) for name, found in groups.items()]
    return Table(title, COLUMNS, tuple(rows))


def _row(name: str, gate: Gate, usual: FloatArray, found: FloatArray) -> Row:
    flagged = int((found > gate.limit).sum())
    ends = intervals.wilson(flagged, len(found))
    truth = np.repeat([0, 1], [len(usual), len(found)])
    area = metrics.auroc(np.concatenate([usual, found]), truth)
    figures = {
        "flagged": Estimate(flagged / len(found), ends.low, ends.high, "Wilson"),
        "auroc": Estimate(area),
    }
    return Row(name, figures, threshold=gate.limit, slices=len(found))
