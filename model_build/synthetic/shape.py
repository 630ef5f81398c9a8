"""Shape: the region of one hemorrhage as a score field, cut where its volume is reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.fields import ramp, smooth_noise
from model_build.synthetic.geometry import Box, Field

_SOFT_MM = 1.3  # clot border, narrower than the slice is thick
_PIECE_FRACTION = 0.5


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a hemorrhage can lie.

    Attributes:
        box: Index slices of the region.
        score: Order of filling in mm, float32, shape of the box.
        weight: Fraction of each voxel that blood can take, 0..1.
    """

    box: Box
    score: Field
    weight: Field


def cut_at_volume(shape: Shape, volume_ml: float, voxel_ml: float) -> tuple[Field, float]:
    """Fill a shape from its highest score until `volume_ml` is reached.

    Returns:
        The blood fraction 0..1 in the box of the shape, and the score at its border.
    """
    inside = shape.weight > 0.02
    scores, weights = shape.score[inside], shape.weight[inside]
    if not scores.size:
        return np.zeros_like(shape.score), 0.0
    # A stable order: ties must not depend on the sorting of a platform.
    order = np.argsort(-scores, kind="stable")
    filled = np.cumsum(weights[order], dtype=np.float64) * voxel_ml
    last = min(int(np.searchsorted(filled, volume_ml)), len(order) - 1)
    border = float(scores[order[last]])
    return shape.weight * ramp(shape.score - np.float32(border), _SOFT_MM), border


def without_specks(blood: Field, least_ml: float, voxel_ml: float) -> Field:
    """Blood fractions without the connected pieces (half blood or more) below `least_ml`."""
    if not blood.size:  # the place of the bleed lies off the scan
        return blood
    touching = np.ones((3, 3, 3), dtype=bool)
    pieces, count = ndimage.label(blood >= _PIECE_FRACTION, structure=touching)
    sizes = ndimage.sum_labels(blood, pieces, np.arange(count + 1)) * voxel_ml
    large = sizes >= least_ml
    large[0] = False
    # The soft border of a piece goes and stays with it.
    kept = ndimage.binary_dilation(large[pieces], structure=touching)
    return np.where(kept, blood, np.float32(0.0))


def noise_in(rng: np.random.Generator, anatomy: Anatomy, box: Box, sigma_mm: float) -> Field:
    """Smooth noise on a box only; empty where the box is."""
    local = anatomy.grid.crop(box)
    if 0 in local.shape:
        return np.zeros(local.shape, dtype=np.float32)
    return smooth_noise(rng, local, sigma_mm)


def ball(anatomy: Anatomy, centre: tuple[float, float, float], reach_mm: float) -> Box:
    """Index box around a place in the head frame, mm."""
    low = (centre[0] - reach_mm, centre[1] - reach_mm, centre[2] - reach_mm)
    high = (centre[0] + reach_mm, centre[1] + reach_mm, centre[2] + reach_mm)
    return anatomy.grid.box(low, high)
