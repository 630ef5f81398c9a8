"""Fields: smooth scalar fields over a head and how tissue is painted with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model_build.synthetic.geometry import Field, HeadGrid

_Point = tuple[float, float, float]

# Rays of shell_noise start in the middle of the brain and are told apart at the cortex.
_SHELL_CENTRE, _SHELL_MM = (0.0, 5.0, 32.0), 68.0


def ramp(signed_mm: npt.NDArray[np.floating[Any]], width_mm: float = 1.0) -> Field:
    """Fraction of a voxel on the positive side of a surface: 0..1 across `width_mm`."""
    share: Field = np.clip(signed_mm / np.float32(width_mm) + np.float32(0.5), 0.0, 1.0)
    return share.astype(np.float32, copy=False)


def paint(hu: Field, value: float | Field, weight: Field) -> None:
    """Mix `value` (HU) into `hu` in place with weights 0..1."""
    hu += weight * (value - hu)


def expand(field: Field, shape: Sequence[int]) -> Field:
    """Enlarge to `shape` by linear interpolation along each axis, end points aligned."""
    for axis, count in enumerate(shape):
        place = np.linspace(0.0, field.shape[axis] - 1.0, count)
        lower = np.minimum(place.astype(np.intp), max(field.shape[axis] - 2, 0))
        share = (place - lower).astype(np.float32)
        share = share.reshape([-1 if k == axis else 1 for k in range(len(shape))])
        near = np.take(field, lower, axis=axis)
        far = np.take(field, np.minimum(lower + 1, field.shape[axis] - 1), axis=axis)
        far -= near
        far *= share
        near += far
        field = near
    return field


def smooth_noise(rng: np.random.Generator, grid: HeadGrid, sigma_mm: float) -> Field:
    """Gaussian random field, mean 0, SD 1, correlated over `sigma_mm`, float32."""
    # A field this smooth is known from a coarse grid; wrapping keeps its SD even at the rim.
    coarse = grid.coarse(sigma_mm / 1.6)
    white = rng.standard_normal(coarse.shape, dtype=np.float32)
    sigma = [sigma_mm / step for step in coarse.voxel_mm]
    field: Field = ndimage.gaussian_filter(white, sigma, mode="wrap", truncate=3.0)
    field -= field.mean()
    field /= field.std() + np.float32(1e-6)
    return expand(field, grid.shape)


def ellipsoid(xyz: tuple[Field, Field, Field], centre: _Point, radii: _Point) -> Field:
    """Approximate signed distance in mm to an ellipsoid, positive inside."""
    total: Field = np.zeros_like(xyz[0])
    for axis, c, r in zip(xyz, centre, radii, strict=True):
        total += ((axis - np.float32(c)) / np.float32(r)) ** 2
    distance: Field = ((1.0 - np.sqrt(total)) * min(radii)).astype(np.float32, copy=False)
    return distance


def capsule(
    xyz: tuple[Field, Field, Field], start: _Point, end: _Point, radii: tuple[float, float]
) -> Field:
    """Signed distance in mm to a tube from `start` to `end`, positive inside.

    `radii` are those of the two ends; the tube tapers linearly between them.
    """
    axis = np.subtract(end, start)
    length2 = float(axis @ axis)
    steps = [(a - np.float32(s), np.float32(d)) for a, s, d in zip(xyz, start, axis, strict=True)]
    along, gap2 = np.zeros_like(xyz[0]), np.zeros_like(xyz[0])
    for offset, d in steps:
        along += offset * (d / np.float32(length2))
    np.clip(along, 0.0, 1.0, out=along)
    for offset, d in steps:
        gap2 += (offset - along * d) ** 2
    radius = np.float32(radii[0]) + along * np.float32(radii[1] - radii[0])
    distance: Field = radius - np.sqrt(gap2)
    return distance


def shell_noise(rng: np.random.Generator, grid: HeadGrid, sigma_mm: float) -> Field:
    """Random field that is constant along rays from the brain's middle, float32, SD about 1.

    Its level sets are walls that run from the vault inwards, as sulci do; `sigma_mm` is the
    correlation length at the cortex.
    """
    step = sigma_mm / 1.6
    side = 2 * math.ceil((_SHELL_MM + 4.0) / step) + 1
    white = rng.standard_normal((side, side, side), dtype=np.float32)
    table = ndimage.gaussian_filter(white, 1.6, mode="wrap", truncate=3.0)
    table /= table.std()
    fine = grid.coarse(2.0)
    rays = [axis - np.float32(c) for axis, c in zip(fine.xyz, _SHELL_CENTRE, strict=True)]
    scale = np.float32(_SHELL_MM / step) / np.sqrt(sum(ray**2 for ray in rays) + np.float32(1.0))
    places = np.stack([ray * scale + np.float32(side // 2) for ray in rays])
    sampled = ndimage.map_coordinates(table, places, order=1, mode="nearest")
    return expand(sampled.astype(np.float32, copy=False), grid.shape)
