"""Wrong window: does an answer hang on the vendor's default window? It is replaced to find out.

test slices with window 1000/1 instead of their own -> change of p per label (evaluation spec
section 9). Networks that do not read the default window change by exactly nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_build.evaluation_table import Estimate, Row, Table
from model_build.metrics import FloatArray
from service.types import LABELS

BIZARRE = (1000.0, 1.0)  # centre and width in HU; vendors do write it
TITLE = "Wrong window: change of the probability when the default window is 1000/1"
COLUMNS: tuple[str, ...] = ("largest_change", "mean_change", "flipped")


def table(own: FloatArray, bizarre: FloatArray, thresholds: Sequence[float]) -> Table:
    """How far probabilities move, and how many calls change, per label.

    Args:
        own: (N, 6), of slices with their own default window.
        bizarre: (N, 6), of the same slices with the bizarre one.
        thresholds: six, at which a slice is called.

    Raises:
        ValueError: shapes that do not fit, or no slice.
    """
    if own.shape != bizarre.shape or own.shape[1:] != (len(thresholds),) or not len(own):
        raise ValueError("the two need the same slices, and at least one")
    change = np.abs(own - bizarre)
    flips = (own >= np.asarray(thresholds)) != (bizarre >= np.asarray(thresholds))
    columns = np.stack([change.max(axis=0), change.mean(axis=0), flips.mean(axis=0)], axis=1)
    rows = [
        Row(
            label,
            {name: Estimate(float(value)) for name, value in zip(COLUMNS, values, strict=True)},
            threshold=cut,
            slices=len(own),
        )
        for label, values, cut in zip(LABELS, columns, thresholds, strict=True)
    ]
    return Table(TITLE, COLUMNS, tuple(rows))
