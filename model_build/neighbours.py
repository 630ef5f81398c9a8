"""Neighbours: which slices lie before and behind each slice in its series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from model_build.slice_set import SliceSet


def of(source: SliceSet) -> npt.NDArray[np.intp]:
    """Rows of the previous, the own and the next slice along the normal, (N, 3).

    The ends of a series repeat themselves.

    Raises:
        ValueError: the set does not know the series or the position of its slices.
    """
    if len(source.series) != len(source) or len(source.order) != len(source):
        raise ValueError("this data set does not say how its slices lie in their series")
    if not np.isfinite(source.order).all():
        raise ValueError("a slice of this data set has no position along its series")
    found = np.tile(np.arange(len(source))[:, None], 3)
    for rows in series_rows(source):
        found[rows[1:], 0] = rows[:-1]
        found[rows[:-1], 2] = rows[1:]
    return found


def series_rows(source: SliceSet) -> list[npt.NDArray[np.intp]]:
    """Rows of each series, from its first slice to its last."""
    keys, inverse = np.unique(np.array(source.series), return_inverse=True)
    by_series = np.lexsort((source.order, inverse))
    starts = np.searchsorted(inverse[by_series], np.arange(len(keys)))
    return [rows.astype(np.intp) for rows in np.split(by_series, starts[1:])]
