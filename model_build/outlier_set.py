"""Outlier set: slices that no head CT is, made from a few that are one; the test of the gate.

head slices (N, S, S) HU + seed -> `make` -> kind -> (N, S, S) HU

Each kind is a mistake that metadata can hide: another body part, no object, inverted grey values,
a wrong rescale slope, MR intensities or an 8-bit picture taken for HU; and two that a reader would
accept: a bone kernel and contrast in the vessels (evaluation spec section 9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Image = npt.NDArray[np.int16]
Field = npt.NDArray[np.float64]

LOWEST_HU, HIGHEST_HU = -1024, 3071
SLOPES = (0.5, 0.8, 1.25, 2.0)  # instead of 1
VESSEL_HU = 60.0
VESSELS, VESSEL_STEPS = 12, 60
# Grey values of a T1-like picture over the HU of the tissue: fat and white matter are bright.
MR_FROM = (-1000.0, -120.0, 0.0, 25.0, 45.0, 90.0, 250.0, 3000.0)
MR_TO = (0.0, 900.0, 200.0, 800.0, 600.0, 700.0, 60.0, 20.0)


def make(slices: Image, seed: int) -> dict[str, Image]:
    """Every kind of outlier of every slice: (N, S, S) int16 HU -> kind -> (N, S, S) int16 HU."""
    found = {}
    for place, (name, kind) in enumerate(KINDS.items()):
        rng = np.random.default_rng([seed, place])
        images = np.stack([kind(rng, one.astype(np.float64)) for one in slices])
        found[name] = np.clip(np.rint(images), LOWEST_HU, HIGHEST_HU).astype(np.int16)
    return found


def _chest(rng: np.random.Generator, hu: Field) -> Field:
    """Discs of fat, muscle, lung, heart and spine, as far as the side of the slice allows."""
    y, x = np.mgrid[-1.0 : 1.0 : 1j * hu.shape[0], -1.0 : 1.0 : 1j * hu.shape[1]]
    size = rng.uniform(0.9, 1.1)

    def disc(cx: float, cy: float, rx: float, ry: float) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < size**2
        return inside

    image = np.full(hu.shape, -1000.0)
    for value, place in (
        (-90.0, (0.0, 0.0, 0.85, 0.60)),
        (55.0, (0.0, 0.0, 0.78, 0.53)),
        (-850.0, (-0.38, 0.0, 0.28, 0.38)),
        (-850.0, (0.38, 0.0, 0.28, 0.38)),
        (45.0, (0.10, -0.10, 0.24, 0.22)),
        (400.0, (0.0, 0.38, 0.11, 0.11)),
    ):
        image[disc(*place)] = value
    found: Field = image + rng.normal(0.0, 15.0, hu.shape)
    return found


def _noise(rng: np.random.Generator, hu: Field) -> Field:
    image: Field = rng.normal(0.0, 300.0, hu.shape)
    return image


def _inverted(rng: np.random.Generator, hu: Field) -> Field:
    image: Field = hu.min() + hu.max() - hu
    return image


def _mr_like(rng: np.random.Generator, hu: Field) -> Field:
    image: Field = rng.uniform(0.7, 1.3) * np.interp(hu, MR_FROM, MR_TO)
    return image


def _wrong_slope(rng: np.random.Generator, hu: Field) -> Field:
    image: Field = rng.choice(SLOPES) * (hu - LOWEST_HU) + LOWEST_HU
    return image


def _vessels(rng: np.random.Generator, hu: Field) -> Field:
    """Bent tubes of +60 HU in soft tissue, as after contrast medium."""
    soft = (hu > 0.0) & (hu < 90.0)
    step = hu.shape[0] / 256
    starts = np.argwhere(soft if soft.any() else np.ones_like(soft))
    marks = np.zeros(hu.shape, np.bool_)
    for place in starts[rng.integers(0, len(starts), VESSELS)]:
        turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0.0, 0.2, VESSEL_STEPS))
        path = place + step * np.cumsum(np.stack([np.sin(turns), np.cos(turns)], axis=1), axis=0)
        rows, columns = np.clip(path.round().astype(int), 0, np.array(hu.shape) - 1).T
        marks[rows, columns] = True
    marks = ndimage.binary_dilation(marks, iterations=max(1, round(step)))
    image: Field = hu + VESSEL_HU * (marks & soft)
    return image


def _bone_kernel(rng: np.random.Generator, hu: Field) -> Field:
    sharp = hu + 2.5 * (hu - ndimage.gaussian_filter(hu, 1.0))
    image: Field = sharp + rng.normal(0.0, 25.0, hu.shape)
    return image


def _eight_bit(rng: np.random.Generator, hu: Field) -> Field:
    """A picture of the brain window, 0..80 HU as 0..255, read as if it were HU."""
    image: Field = 255.0 * np.clip(hu / 80.0, 0.0, 1.0)
    return image


KINDS: Mapping[str, Callable[[np.random.Generator, Field], Field]] = {
    "chest-like discs": _chest,
    "noise": _noise,
    "inverted": _inverted,
    "MR-like scaling": _mr_like,
    "wrong slope": _wrong_slope,
    "8-bit picture as HU": _eight_bit,
    "bone kernel": _bone_kernel,
    "vessels +60 HU": _vessels,
}
