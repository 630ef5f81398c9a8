"""Content: does the picture look like an axial slice of a head in Hounsfield units?

HU -> grid of about 128 x 128 -> Measures -> not_head_like | content_unusual | nothing

It catches what carries the tags of a head CT and is none: a chest, a test phantom, noise, inverted
or unscaled values, MR numbers. Only what no head can be is skipped; what is merely rare is warned
of. `python -m model_build gate-limits` measures how many head slices each limit would refuse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.dicom.limits import Caps
from service.dicom.violations import CONTENT_UNUSUAL, NOT_HEAD_LIKE
from service.types import Violation

_Mask = npt.NDArray[np.bool_]

GRID = 128  # points along a side; fine enough for a skull of 3 mm
_AIR_HU, _LUNG_HU, _TISSUE_HU, _BONE_HU = -900, -800, -300, 200
_BRAIN_HU = (0, 80)
_FIELD_CM = 25.0  # assumed where the object does not say how large a pixel is
_SECTORS = 36


@dataclass(frozen=True, slots=True)
class Measures:
    """What the rules look at; shares are of 1, areas in cm2, values in HU.

    Attributes:
        air: share of the picture at or below -900 HU (air, padding).
        tissue_cm2: area above -300 HU.
        between_cm2: area from -800 to -300 HU, where a head has only edges.
        ragged: share of the tissue whose right neighbour is none; a body has a closed outline.
        soft: share of the tissue within 0..80 HU.
        bone: share of the tissue above 200 HU.
        hollow: share of the outline of the tissue that is air or lung.
        brain_cm2: area without bone that has bone above, below, left and right of it.
        brain_soft: share of that area within 0..80 HU.
        brain_hu: median of that area without its air; NaN when there is none.
        ring: share of the directions from the middle in which there is bone.
        sized: the pixel spacing is known, so that areas are more than a guess.
    """

    air: float
    tissue_cm2: float
    between_cm2: float
    ragged: float
    soft: float
    bone: float
    hollow: float
    brain_cm2: float
    brain_soft: float
    brain_hu: float
    ring: float
    sized: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """One rule of the content check: its words, and the condition that breaks it."""

    words: str
    broken: Callable[[Measures], bool]


# A comparison with NaN is False: what could not be measured breaks nothing.
SKIPPED: tuple[Limit, ...] = (
    Limit("less than 1 % of the picture is air", lambda m: m.air < 0.01),
    Limit("tissue under 1 cm2", lambda m: m.tissue_cm2 < 1.0),
    Limit("tissue over 450 cm2", lambda m: m.sized and m.tissue_cm2 > 450.0),
    Limit(
        "over 60 cm2 of tissue, less than 1 % of it bone",
        lambda m: m.tissue_cm2 > 60.0 and m.bone < 0.01,
    ),
    Limit(
        "over 120 cm2 of tissue, less than 8 % of it within 0 to 80 HU",
        lambda m: m.tissue_cm2 > 120.0 and m.soft < 0.08,
    ),
    # Much hair or a bandage around the vertex lies there as well, so the ratio is a large one.
    Limit(
        "over 100 cm2 within -800 to -300 HU, over three times the tissue",
        lambda m: m.between_cm2 > max(100.0, 3.0 * m.tissue_cm2),
    ),
    Limit(
        "over 20 cm2 of tissue, over 35 % of it at its edge",
        lambda m: m.tissue_cm2 > 20.0 and m.ragged > 0.35,
    ),
    Limit(
        "over 20 cm2 of tissue, over 90 % of it bone",
        lambda m: m.tissue_cm2 > 20.0 and m.bone > 0.9,
    ),
    Limit("over 60 % of the outline is air or lung", lambda m: m.hollow > 0.6),
    Limit(
        "over 60 cm2 inside bone, less than 15 % of it within 0 to 80 HU",
        lambda m: m.brain_cm2 > 60.0 and m.brain_soft < 0.15,
    ),
)
WARNED: tuple[Limit, ...] = (
    Limit("tissue under 20 cm2", lambda m: m.tissue_cm2 < 20.0),
    Limit("tissue over 350 cm2", lambda m: m.sized and m.tissue_cm2 > 350.0),
    Limit("over 300 cm2 inside bone", lambda m: m.sized and m.brain_cm2 > 300.0),
    Limit(
        "over 60 cm2 inside bone, less than 35 % of it within 0 to 80 HU",
        lambda m: m.brain_cm2 > 60.0 and m.brain_soft < 0.35,
    ),
    Limit(
        "over 60 cm2 inside bone, its median outside 12 to 60 HU",
        lambda m: m.brain_cm2 > 60.0 and (m.brain_hu < 12.0 or m.brain_hu > 60.0),
    ),
    Limit("over 90 % of the tissue within 0 to 80 HU", lambda m: m.soft > 0.9),
    Limit(
        "over 100 cm2 of tissue, bone in less than half of the directions",
        lambda m: m.tissue_cm2 > 100.0 and m.ring < 0.5,
    ),
)


def check(
    hu: npt.NDArray[np.int16], spacing_mm: tuple[float, ...] | None, caps: Caps
) -> list[Violation]:
    """`not_head_like`, `content_unusual` or nothing for int16 (n, n) in HU.

    Args:
        hu: the slice before it is resampled.
        spacing_mm: PixelSpacing (0028,0030), None when unknown.
        caps: `thresholds.content` says whether `not_head_like` skips or only warns.
    """
    found = measure(hu, spacing_mm)
    if any(limit.broken(found) for limit in SKIPPED):
        return [NOT_HEAD_LIKE if caps.thresholds.content == "skip" else CONTENT_UNUSUAL]
    return [CONTENT_UNUSUAL] if any(limit.broken(found) for limit in WARNED) else []


def measure(hu: npt.NDArray[np.int16], spacing_mm: tuple[float, ...] | None) -> Measures:
    """The measures of int16 (n, n) in HU, on every n/128th pixel of every n/128th row."""
    step = max(1, hu.shape[0] // GRID)
    grid = np.ascontiguousarray(hu[step // 2 :: step, step // 2 :: step])
    bone, tissue = grid > _BONE_HU, grid > _TISSUE_HU
    soft = (grid >= _BRAIN_HU[0]) & (grid <= _BRAIN_HU[1])
    outline, inside = _surrounded(tissue), _surrounded(bone) & ~bone
    cell_cm2, sized = _cell_cm2(spacing_mm, step, grid.shape[0])
    tissue_count, inside_count = _count(tissue), _count(inside)
    brain = grid[inside & tissue]
    return Measures(
        air=_count(grid <= _AIR_HU) / grid.size,
        tissue_cm2=tissue_count * cell_cm2,
        between_cm2=_count((grid > _LUNG_HU) & ~tissue) * cell_cm2,
        ragged=_count(tissue[:, :-1] & ~tissue[:, 1:]) / max(1, tissue_count),
        soft=_count(soft) / max(1, tissue_count),
        bone=_count(bone) / max(1, tissue_count),
        hollow=_count(outline & ~tissue) / max(1, _count(outline)),
        brain_cm2=inside_count * cell_cm2,
        brain_soft=_count(inside & soft) / max(1, inside_count),
        brain_hu=_median(brain),
        ring=_ring(bone, outline),
        sized=sized,
    )


def _median(values: npt.NDArray[np.int16]) -> float:
    """The upper median; `np.median` takes several times as long."""
    middle = values.size // 2
    return float(np.partition(values, middle)[middle]) if values.size else math.nan


def _count(mask: _Mask) -> int:
    return int(np.count_nonzero(mask))


def _cell_cm2(spacing_mm: tuple[float, ...] | None, step: int, side: int) -> tuple[float, bool]:
    """Area of one point of the grid, and whether it is known."""
    if spacing_mm is not None and len(spacing_mm) == 2 and min(spacing_mm) > 0.0:
        return spacing_mm[0] * spacing_mm[1] * (step / 10.0) ** 2, True
    return (_FIELD_CM / side) ** 2, False


def _surrounded(mask: _Mask) -> _Mask:
    """Where something of the mask lies (or is the point itself) in all four directions."""
    result: _Mask = _between(mask) & _between(np.ascontiguousarray(mask.T)).T
    return result


def _between(mask: _Mask) -> _Mask:
    """From the first to the last point of the mask in each row."""
    side = mask.shape[1]
    first, last = mask.argmax(axis=1), side - 1 - mask[:, ::-1].argmax(axis=1)
    last[~mask.any(axis=1)] = -1
    place = np.arange(side, dtype=np.int16)
    result: _Mask = (place >= first.astype(np.int16)[:, None]) & (
        place <= last.astype(np.int16)[:, None]
    )
    return result


def _ring(bone: _Mask, outline: _Mask) -> float:
    """Share of the sectors around the middle of the outline in which there is bone."""
    rows, columns = np.nonzero(outline[::2, ::2])
    if not rows.size:
        return 0.0
    bone_rows, bone_columns = np.nonzero(bone)
    angles = np.arctan2(bone_rows - 2.0 * rows.mean(), bone_columns - 2.0 * columns.mean())
    sectors = ((angles + math.pi) * (_SECTORS / (2.0 * math.pi))).astype(np.int64) % _SECTORS
    return _count(np.bincount(sectors, minlength=_SECTORS) > 0) / _SECTORS
