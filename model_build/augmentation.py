"""Augmentation: what training does to Hounsfield slices. Sampling is apart from applying.

geometry (mirror, turn, zoom, shift) -> resolution -> HU offset and slope -> noise -> window jitter

Train split only, on HU and on the default window, never inside the network. It is strong on
purpose: noise texture, sharpness, calibration and pose of the phantoms are the generator's, and
nothing may hang on them. Everything is drawn from a generator seeded by (recipe, stage, step), so
a resumed run repeats the interrupted one.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from model_build.strengths import Strength

AIR_HU = -1000.0
GRAINS = (0.0, 0.5, 0.8, 1.1)  # pixels, correlation of the added noise: white to soft
BANK_PIXELS = 1536
TRUNCATE = 2.5  # SDs at which a Gaussian ends
GRID = 8  # pixels per side of a cell of the coverage map
KNOTS = 5  # per side of the grid that a grid distortion moves


@dataclass(frozen=True, slots=True)
class Draw:
    """One slice's augmentation; the default changes nothing.

    Attributes:
        mirrored: Left-right: heads are symmetric, up is not down.
        turn_deg: Rotation about the centre, clockwise.
        zoom: Magnification.
        shift: Down and right, in halves of the picture.
        shear: Of columns against rows.
        radial: Optical distortion: share of the radius at the border.
        wobble: SD of a grid distortion.
        blur_pixels: SD of a Gaussian blur, 0 for none.
        slope: Factor on HU, about water: soft tissue moves little, bone most.
        offset_hu: Added to HU.
        noise_hu: SD of the added noise.
        grain: SD in pixels of the blur that correlates the noise, one of GRAINS.
        seed: Of the noise and of the grid distortion.
        center_shift: Of the default window, in its new widths.
        width_factor: Of the default window.
    """

    mirrored: bool = False
    turn_deg: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    shear: float = 0.0
    radial: float = 0.0
    wobble: float = 0.0
    blur_pixels: float = 0.0
    slope: float = 1.0
    offset_hu: float = 0.0
    noise_hu: float = 0.0
    grain: float = 0.0
    seed: int = 0
    center_shift: float = 0.0
    width_factor: float = 1.0


STILL = Draw()


def draw(rng: np.random.Generator, ranges: Strength) -> Draw:
    """Sample one augmentation."""
    down, right = rng.uniform(-ranges.shift, ranges.shift, size=2)
    blurred = rng.random() < ranges.blur_share
    blur = float(rng.uniform(*ranges.blur_pixels))
    return Draw(
        mirrored=bool(rng.random() < ranges.mirror),
        turn_deg=float(rng.uniform(-ranges.turn_deg, ranges.turn_deg)),
        zoom=float(rng.uniform(*ranges.zoom)),
        shift=(float(down), float(right)),
        shear=float(rng.uniform(-ranges.shear, ranges.shear)),
        radial=float(rng.uniform(-ranges.radial, ranges.radial)),
        wobble=ranges.wobble,
        blur_pixels=blur if blurred else 0.0,
        slope=float(rng.normal(1.0, ranges.slope)),
        offset_hu=float(rng.normal(0.0, ranges.offset_hu)),
        noise_hu=float(rng.uniform(0.0, ranges.noise_hu)),
        grain=GRAINS[int(rng.integers(len(GRAINS)))],
        seed=int(rng.integers(0, 2**31)),
        center_shift=float(rng.normal(0.0, ranges.window)),
        width_factor=float(np.exp(rng.normal(0.0, ranges.window))),
    )


def apply(
    chosen: Draw, voxels_hu: npt.NDArray[np.int16], window: npt.NDArray[np.float32]
) -> tuple[Tensor, Tensor]:
    """Apply a draw to one slice, or to neighbours that must stay aligned.

    Args:
        chosen: what to do.
        voxels_hu: (S, S) or (C, S, S) int16 in HU.
        window: (2,) centre and width in HU.

    Returns:
        float32 of the shape of `voxels_hu`, in HU, and (2,) float32.
    """
    picture = torch.from_numpy(voxels_hu.astype(np.float32)).reshape(-1, 1, *voxels_hu.shape[-2:])
    if _moves(chosen):
        grid = _grid(chosen, picture.shape[-1]).expand(len(picture), -1, -1, -1)
        # Zero padding is air once air is zero.
        picture = F.grid_sample(picture - AIR_HU, grid, align_corners=False) + AIR_HU
    if chosen.blur_pixels:
        picture = _blurred(picture, chosen.blur_pixels)
    picture = picture * chosen.slope + chosen.offset_hu
    if chosen.noise_hu:
        picture = picture + _noise(chosen, tuple(picture.shape))
    width = max(float(window[1]) * chosen.width_factor, 1.0)
    center = float(window[0]) + chosen.center_shift * width
    return picture.reshape(voxels_hu.shape), torch.tensor([center, width])


def coverage(chosen: Draw, mask: npt.NDArray[np.uint8], subtypes: int) -> Tensor:
    """Share of each cell that a lesion covers, moved as `apply` moves the slice.

    Args:
        chosen: the draw of the slice.
        mask: (S, S) uint8, 0 for none, k for subtype k - 1, more for an unknown subtype.
        subtypes: number of subtypes K.

    Returns:
        (K + 1, S / 8, S / 8) float32 in 0..1; the last map is that of any lesion.
    """
    if not mask.any():
        return torch.zeros(subtypes + 1, *(side // GRID for side in mask.shape))
    picture = torch.from_numpy(mask.astype(np.float32))[None, None]
    if _moves(chosen):
        grid = _grid(chosen, picture.shape[-1])
        picture = F.grid_sample(picture, grid, mode="nearest", align_corners=False)
    kinds = torch.arange(1, subtypes + 1).view(-1, 1, 1)
    each = torch.cat([picture[0] == kinds, picture[0] > 0]).float()
    return F.avg_pool2d(each, GRID)


def _moves(chosen: Draw) -> bool:
    geometry = ("mirrored", "turn_deg", "zoom", "shift", "shear", "radial", "wobble")
    return any(getattr(chosen, name) != getattr(STILL, name) for name in geometry)


def _grid(chosen: Draw, size: int) -> Tensor:
    """Where each pixel comes from: (1, S, S, 2) for `grid_sample`."""
    turn = math.radians(chosen.turn_deg)
    cosine, sine = math.cos(turn) / chosen.zoom, math.sin(turn) / chosen.zoom
    down, right = chosen.shift
    # Inverse map: undo the shift, then turn, zoom and shear, then the mirror.
    side = -1.0 if chosen.mirrored else 1.0
    rows = [[side * cosine, side * (sine + chosen.shear)], [-sine, cosine]]
    moved = [[*row, -(row[0] * right + row[1] * down)] for row in rows]
    grid = F.affine_grid(torch.tensor([moved]), [1, 1, size, size], align_corners=False)
    if chosen.radial:
        grid = grid * (1.0 + chosen.radial * grid.square().sum(dim=-1, keepdim=True))
    if chosen.wobble:
        rng = np.random.default_rng([chosen.seed, 1])
        knots = rng.normal(0.0, chosen.wobble, (1, 2, KNOTS, KNOTS)).astype(np.float32)
        smooth = F.interpolate(torch.from_numpy(knots), (size, size), mode="bicubic")
        grid = grid + smooth.permute(0, 2, 3, 1)
    return grid


def _blurred(picture: Tensor, sigma: float) -> Tensor:
    """Gaussian of (N, 1, S, S); the border repeats."""
    spread = (0, 0, sigma, sigma)
    return torch.from_numpy(
        ndimage.gaussian_filter(picture.numpy(), spread, mode="nearest", truncate=TRUNCATE)
    )


def _noise(chosen: Draw, shape: tuple[int, ...]) -> Tensor:
    """A piece of a large noise picture: drawing a fresh one would cost as much as training."""
    rng = np.random.default_rng(chosen.seed)
    bank = _bank(chosen.grain)
    height, width = shape[-2:]
    pieces = []
    for _ in range(shape[0]):
        top, left = rng.integers(0, len(bank) - np.array([height, width]))
        pieces.append(bank[top : top + height, left : left + width])
    return torch.from_numpy(np.stack(pieces)[:, None]) * chosen.noise_hu


@functools.lru_cache(maxsize=len(GRAINS))
def _bank(grain: float) -> npt.NDArray[np.float32]:
    """Noise of SD 1 whose pixels are correlated by a Gaussian of `grain` pixels."""
    rng = np.random.default_rng(round(1000 * grain))
    noise = rng.standard_normal((BANK_PIXELS, BANK_PIXELS), dtype=np.float32)
    if grain:
        noise = ndimage.gaussian_filter(noise, grain, mode="wrap")
    even: npt.NDArray[np.float32] = (noise / noise.std()).astype(np.float32)
    return even
