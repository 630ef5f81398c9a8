"""Artefacts: what a scanner adds to an image: hardening, starved rays, metal, head holders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model_build.synthetic.geometry import MATRIX, Field, HeadGrid

_AIR_HU = -1000.0
_BONE_HU = 300.0
_GLARE_MM = (3.5, 10.0, 25.0)
_GLARE_FROM_HU, _GLARE_TO_HU = 100.0, 1500.0
_GLARE_STEP = 3  # it is smooth: worked out on every third row and column


@dataclass(frozen=True, slots=True)
class Holder:
    """Head holder of the table: a curved shell around foam, behind or beside the head.

    Attributes:
        radius_mm: Radius of the shell.
        rise_mm: Height of its centre above the middle of the image.
        shell_hu: Density of the shell.
        wings: Whether only its two sides are in view.
    """

    radius_mm: float
    rise_mm: float
    shell_hu: float
    wings: bool


def draw_holder(rng: np.random.Generator) -> Holder | None:
    """Draw a holder; in 40 % of the scans none is in view."""
    luck = rng.random(2)
    drawn = Holder(
        radius_mm=float(rng.uniform(112.0, 150.0)),
        rise_mm=float(rng.uniform(-5.0, 25.0)),
        shell_hu=float(rng.choice([rng.uniform(-100.0, 50.0), rng.uniform(50.0, 300.0)])),
        wings=bool(luck[1] < 0.4),
    )
    return drawn if luck[0] < 0.6 else None


def holder_image(holder: Holder, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Field:
    """Holder in image coordinates (mm, +y back), (512, 512) float32 HU; -1000 elsewhere."""
    reach = np.sqrt(x**2 + (y + holder.rise_mm) ** 2)
    behind = (y > 15.0) & (np.abs(x) < 0.88 * holder.radius_mm)
    if holder.wings:
        behind = (y > -40.0) & (np.abs(x) > 0.72 * holder.radius_mm)
    shell = behind & (np.abs(reach - holder.radius_mm) < 1.6)
    foam = behind & (reach < holder.radius_mm) & (not holder.wings)
    image = np.where(shell, holder.shell_hu, np.where(foam, -955.0, _AIR_HU))
    return image.astype(np.float32)


def beam_shade(
    cupping_hu: float, rim_hu: float, band_hu: float, grid: HeadGrid, depth: Field
) -> Field:
    """HU to add per slice: cupping, a bright rim under the skull, the interpetrous band.

    Args:
        cupping_hu: Loss in the middle of the head (0 or less).
        rim_hu: Gain next to the inner table (0 or more): over-corrected hardening.
        band_hu: Loss between the petrous bones (0 or less).
        grid: Sub-slice grid of the series.
        depth: (Z*sub, Y, X) mm below the inner table.

    Returns:
        (Z, Y, X) float32.
    """
    sub = grid.geometry.subslices
    x, y, z = (axis[sub // 2 :: sub] for axis in grid.xyz)
    below = depth[sub // 2 :: sub]
    add = cupping_hu * np.clip(below / 35.0, 0.0, 1.0)
    if rim_hu:
        add += rim_hu * np.exp(-np.maximum(below, 0.0) / 5.0) * (below > 0)
    low = np.flatnonzero((np.abs(z + 4.0) < 24.0).any(axis=(1, 2)))
    if low.size:
        part = slice(int(low[0]), int(low[-1]) + 1)
        x, y, z, below = x[part], y[part], z[part], below[part]
        band = np.exp(-(((y - 18.0) / 9.0) ** 2) - (x / 38.0) ** 4 - ((z + 4.0) / 7.0) ** 2)
        # Photon starvation between the petrous bones comes as streaks, not as an even shade.
        stripes = 1.0 + 0.5 * np.sin(y * 0.55 + 0.12 * np.abs(x))
        add[part] += band_hu * band * stripes * (below > 0)
    total: Field = add.astype(np.float32, copy=False)
    return total


def bone_glare(
    shares: tuple[float, float, float], planes: Field, voxel_mm: Sequence[float]
) -> Field:
    """HU to add around bone: far tails of the point spread and hardening left uncorrected.

    Brain is brighter towards the skull, and all of it near the vertex, where bone is on every
    side. `phantoms --check --beside DIR` measures it on phantoms and on real heads (`rise`); the
    widths and the weights of `acquisition` were set by such a head.

    Args:
        shares: Weight of each of the three widths `_GLARE_MM`.
        planes: (Z, Y, X) float32 HU of the slices.
        voxel_mm: Distance of slices, rows and columns, mm.

    Returns:
        (Z, Y, X) float32 HU.
    """
    if not any(shares):
        return np.zeros_like(planes)
    excess = np.clip(planes - np.float32(_GLARE_FROM_HU), 0.0, _GLARE_TO_HU)
    step = _GLARE_STEP
    rows, columns = (-(-count // step) for count in planes.shape[1:])
    padding = ((0, 0), (0, rows * step - planes.shape[1]), (0, columns * step - planes.shape[2]))
    blocks = np.pad(excess, padding).reshape(len(planes), rows, step, columns, step)
    coarse = blocks.mean(axis=(2, 4), dtype=np.float32)
    spacing = (voxel_mm[0], voxel_mm[1] * step, voxel_mm[2] * step)
    glare = np.zeros_like(coarse)
    for share, width in zip(shares, _GLARE_MM, strict=True):
        sigma = [width / each for each in spacing]
        glare += np.float32(share) * ndimage.gaussian_filter(
            coarse, sigma, mode=("nearest", "constant", "constant"), truncate=3.0
        )
    fine = ndimage.zoom(glare, (1, step, step), order=1, mode="nearest", grid_mode=True)
    added: Field = fine[:, : planes.shape[1], : planes.shape[2]]
    return added


def starved_rays(rng: np.random.Generator, image: Field, pixel_mm: float, strength: float) -> Field:
    """Streaks from left to right in rows whose rays cross much bone, (512, 512) float32 HU."""
    bone_mm = np.count_nonzero(image > _BONE_HU, axis=1) * pixel_mm
    # Two walls of the vault are 20 mm of bone; only the base is worse.
    excess = np.clip((ndimage.gaussian_filter1d(bone_mm, 2.0) - 45.0) / 50.0, 0.0, 1.0)
    if not excess.any():
        return np.zeros_like(image)
    rows = np.flatnonzero(excess)
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    white = rng.standard_normal(image[part].shape, dtype=np.float32)
    streak = ndimage.gaussian_filter(white, (0.8, 28.0), truncate=2.5)
    streak /= streak.std() + np.float32(1e-6)
    result = np.zeros_like(image)
    result[part] = strength * excess[part, None] * streak * (image[part] > -300.0)
    return result


def metal_streaks(
    rng: np.random.Generator, x: npt.NDArray[Any], y: npt.NDArray[Any], gap_mm: float
) -> Field:
    """Clip at the origin of `x`, `y` (mm) with bright and dark rays, (512, 512) float32 HU.

    `gap_mm` is the distance of the slice from the clip; beyond 7 mm nothing is left.
    """
    rays = rng.normal(0.0, 1.0, size=7)
    if gap_mm > 7.0:
        return np.zeros((MATRIX, MATRIX), dtype=np.float32)
    reach, angle = np.sqrt(x**2 + y**2), np.arctan2(y, x)
    wave = sum(a * np.cos((2 * k + 2) * angle + 3 * a) for k, a in enumerate(rays))
    streaks = 160.0 * np.exp(-gap_mm / 3.0) * wave * np.exp(-reach / 35.0)
    total: Field = (streaks + 3500.0 * (reach < 2.5) * (gap_mm < 4.0)).astype(np.float32)
    return total
