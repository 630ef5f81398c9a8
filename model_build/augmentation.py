"""Augmentation: what training does to Hounsfield slices. Sampling is apart from applying.

Train split only, on HU and on the default window, never inside the network. Everything is drawn
from a generator seeded by (recipe, stage, step), so a resumed run repeats the interrupted one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

AIR_HU = -1000
SHIFT_PIXELS = 24  # about 12 mm at 0.49 mm per pixel
OFFSET_HU = 2.0  # SD; scanners are calibrated to a few HU
SCALE = 0.02  # SD of the slope about 1
NOISE_HU = 3.0  # largest SD of the added noise
WINDOW_JITTER = 0.15  # SD of the log of the width, and of the centre in widths


@dataclass(frozen=True, slots=True)
class Draw:
    """One slice's augmentation: pixels, HU and window."""

    mirrored: bool
    shift: tuple[int, int]
    scale: float
    offset_hu: float
    noise_sd_hu: float
    noise_seed: int
    center_shift: float
    width_factor: float


def draw(rng: np.random.Generator) -> Draw:
    """Sample one augmentation. Mirroring is left-right: heads are symmetric, up is not down."""
    shift = rng.integers(-SHIFT_PIXELS, SHIFT_PIXELS + 1, size=2)
    return Draw(
        mirrored=bool(rng.random() < 0.5),
        shift=(int(shift[0]), int(shift[1])),
        scale=float(rng.normal(1.0, SCALE)),
        offset_hu=float(rng.normal(0.0, OFFSET_HU)),
        noise_sd_hu=float(rng.uniform(0.0, NOISE_HU)),
        noise_seed=int(rng.integers(0, 2**31)),
        center_shift=float(rng.normal(0.0, WINDOW_JITTER)),
        width_factor=float(np.exp(rng.normal(0.0, WINDOW_JITTER))),
    )


def apply(
    chosen: Draw, voxels_hu: npt.NDArray[np.int16], window: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Apply a draw to one slice.

    Args:
        chosen: what to do.
        voxels_hu: (S, S) int16 in HU.
        window: (2,) centre and width in HU.

    Returns:
        (S, S) float32 in HU and (2,) float32.
    """
    moved = _shifted(voxels_hu, chosen.shift).astype(np.float32)
    if chosen.mirrored:
        moved = moved[:, ::-1]
    # The slope is about water, so that soft tissue moves little and bone most.
    moved = moved * np.float32(chosen.scale) + np.float32(chosen.offset_hu)
    rng = np.random.default_rng(chosen.noise_seed)
    noise = rng.standard_normal(moved.shape, dtype=np.float32)
    moved += noise * np.float32(chosen.noise_sd_hu)
    width = max(float(window[1]) * chosen.width_factor, 1.0)
    center = float(window[0]) + chosen.center_shift * width
    return np.ascontiguousarray(moved), np.array([center, width], dtype=np.float32)


def _shifted(voxels: npt.NDArray[np.int16], shift: tuple[int, int]) -> npt.NDArray[np.int16]:
    """Move the picture by whole pixels; what comes in from outside is air."""
    moved = np.full_like(voxels, AIR_HU)
    height, width = voxels.shape
    down, right = shift
    target = moved[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
    target[...] = voxels[
        max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return moved
