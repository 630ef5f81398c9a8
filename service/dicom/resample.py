"""Resample: a square matrix in HU to 512 x 512, exact in integers and so the same everywhere.

Reducing takes the mean over the area of each new pixel, enlarging interpolates linearly between
pixel centres. Both are separable sums with rational weights: they are added up as integers and
divided once, so no order of summation can change a rounding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from service.types import SLICE_SIZE

_Whole = npt.NDArray[np.int64]


def to_slice_size(hu: npt.NDArray[np.int16], size: int = SLICE_SIZE) -> npt.NDArray[np.int16]:
    """Resample int16 (n, n) in HU to int16 (size, size), rounded half to even.

    The field of view is kept: pixel edges, not centres, coincide.
    """
    count = hu.shape[0]
    if count == size:
        return hu
    along = _mean_rows if count > size else _interpolate_rows
    divisor = count if count > size else 2 * size
    total = along(along(hu.astype(np.int64), size).T, size).T
    # Below 2**53, so the one division in float64 is correctly rounded and halves stay exact.
    result = np.rint(total / (divisor * divisor)).astype(np.int16)
    return np.ascontiguousarray(result)


def _mean_rows(values: _Whole, size: int) -> _Whole:
    """`count` times the mean of the rows under each new row; (count, m) -> (size, m)."""
    count = values.shape[0]
    edges = np.arange(size + 1) * count  # in units of 1/size of an old row
    whole, part = edges // size, (edges % size)[:, None]
    before = np.zeros((count + 1, values.shape[1]), np.int64)
    np.cumsum(values, axis=0, out=before[1:])
    inside = values[np.minimum(whole, count - 1)]
    total: _Whole = np.diff(before[whole] * size + inside * part, axis=0)
    return total


def _interpolate_rows(values: _Whole, size: int) -> _Whole:
    """`2 * size` times the value between the two nearest rows; (count, m) -> (size, m)."""
    count = values.shape[0]
    place = (2 * np.arange(size) + 1) * count - size  # centre, in units of 1 / (2 * size)
    place = np.clip(place, 0, (count - 1) * 2 * size)
    lower = np.minimum(place // (2 * size), count - 2)
    part = (place - lower * 2 * size)[:, None]
    result: _Whole = values[lower] * (2 * size - part) + values[lower + 1] * part
    return result
