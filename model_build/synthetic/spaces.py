"""Spaces: where cerebrospinal fluid lies: cisterns, fissures and ventricles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from model_build.synthetic.fields import capsule, ellipsoid, expand, ramp, smooth_noise
from model_build.synthetic.geometry import Field, HeadGrid
from model_build.synthetic.subject import Subject

_Tube = tuple[tuple[float, float, float], float]

# Places and radii in mm of one lateral ventricle: frontal horn, body, atrium.
_ARC: tuple[_Tube, ...] = (
    ((15.0, -37.0, 46.0), 2.4),
    ((10.0, -26.0, 49.0), 4.2),
    ((6.5, -12.0, 51.0), 3.8),
    ((7.5, 4.0, 57.0), 4.0),
    ((12.0, 20.0, 58.0), 4.6),
    ((19.0, 33.0, 54.0), 5.6),
    ((24.0, 42.0, 46.0), 6.4),
)
_OCCIPITAL: tuple[_Tube, ...] = (((23.0, 55.0, 42.0), 4.2), ((17.0, 68.0, 40.0), 1.8))
_TEMPORAL: tuple[_Tube, ...] = (((33.0, 26.0, 26.0), 3.0), ((31.0, 3.0, 14.0), 1.9))


@dataclass(frozen=True, slots=True)
class Spaces:
    """Fractions 0..1 per sample, (Z, Y, X) float32.

    Attributes:
        csf: Subarachnoid CSF: sulci, cisterns, fissures.
        ventricles: Lateral, third and fourth ventricles.
        below_tent: 1 below the tentorium.
    """

    csf: Field
    ventricles: Field
    below_tent: Field


def tent_height(xyz: tuple[Field, Field, Field]) -> Field:
    """Height of the tentorium in mm: highest at the notch, falling to the transverse sinuses."""
    x, y, _ = xyz
    height: Field = 36.0 - 0.30 * np.abs(x) - 0.42 * np.maximum(y - 22.0, 0.0)
    return height


def outside_callosum(y: Field, z: Field) -> Field:
    """Distance in mm above and around the corpus callosum, where the hemispheres part."""
    round_it: Field = np.sqrt(((y + 1.0) / 50.0) ** 2 + ((z - 42.0) / 30.0) ** 2)
    return np.float32(30.0) * (round_it - np.float32(1.0))


def cisterns(rng: np.random.Generator, subject: Subject, grid: HeadGrid) -> tuple[Field, Field]:
    """Signed distance in mm into the cisterns and into the Sylvian fissures, positive inside.

    Both (Z, Y, X) float32.
    """
    # Cisterns are smooth at 1.5 mm; a third of the samples saves most of the time.
    fine = grid.coarse(1.6)
    wavy = smooth_noise(rng, fine, 5.0)
    wide = float(rng.uniform(0.7, 1.4)) * (1.0 + 0.9 * subject.atrophy)
    basal = _basal(subject, fine, wavy, wide)
    sylvian = _sylvian(fine, wavy, wide)
    x, y, z = fine.xyz
    cleft = (0.7 + 1.2 * subject.atrophy) * (1.0 + 0.6 * wavy) - np.abs(x)
    cleft = np.minimum(cleft, outside_callosum(y, z))
    cleft = np.minimum(cleft, z - np.where(y > 0.0, tent_height((x, y, z)), 14.0))
    found = np.maximum(np.maximum(basal, sylvian), cleft)
    return (
        expand(found.astype(np.float32), grid.shape),
        expand(sylvian.astype(np.float32), grid.shape),
    )


def _basal(subject: Subject, fine: HeadGrid, wavy: Field, wide: float) -> Field:
    """Suprasellar, ambient, quadrigeminal, prepontine and cerebellar cisterns."""
    x, y, z = fine.xyz
    side = np.abs(x)
    angle = np.arctan2(x, y - 4.0)
    star = 8.5 + 3.0 * np.cos(5.0 * angle) * wide**0.5 - np.sqrt(x**2 + (y - 4.0) ** 2)
    star = np.minimum(star + 2.2 * wavy, 8.0 - np.abs(z - 17.0))
    midbrain = np.sqrt((side * 0.95) ** 2 + (y - 18.0) ** 2)
    ring = np.minimum(
        wide * (0.9 + 0.8 * wavy) - np.abs(midbrain - 15.0 - 1.8 * wavy), 9.0 - np.abs(z - 27.0)
    )
    plate = ellipsoid((x, y, z), (0.0, 36.0, 30.0), (10.0, 5.5 * wide**0.5, 8.0)) + wavy
    pontine = np.minimum(
        1.2 * wide + wavy - np.abs(y - 5.0), np.minimum(12.0 - side, 16.0 - np.abs(z + 2.0))
    )
    magna = ellipsoid((x, y, z), (0.0, 62.0, -34.0), (12.0, 7.0 * wide, 12.0)) + 2.0 * wavy
    angles = np.minimum(
        1.5 * wide + wavy - np.abs(y - 8.0 - 0.4 * side),
        np.minimum(24.0 - side, 6.0 - np.abs(z - 2.0)),
    )
    # Over the vermis the CSF between the cerebellum and the straight sinus.
    vermis = np.minimum(
        (0.4 + 1.6 * subject.atrophy) * (1.0 + wavy) - np.abs(z - tent_height((x, y, z)) + 4.0),
        np.minimum(16.0 - side, 16.0 - np.abs(y - 48.0)),
    )
    found: Field = star
    for more in (ring, plate, pontine, magna, angles, vermis):
        found = np.maximum(found, more)
    return found


def _sylvian(fine: HeadGrid, wavy: Field, wide: float) -> Field:
    """Sylvian stem, lateral fissure and the cleft over the insula, each a bent slab."""
    x, y, z = fine.xyz
    side = np.abs(x)
    lateral = y + 16.0 - 0.75 * (z - 22.0) + 5.0 * wavy
    fissure = np.minimum(
        wide * (1.1 + 0.9 * wavy) - np.abs(lateral),
        np.minimum(side - 32.0, 21.0 - np.abs(z - 34.0)),
    )
    insula = np.minimum(
        wide * (0.9 + 0.7 * wavy) - np.abs(side - 37.0 - 3.0 * wavy),
        np.minimum(21.0 - np.abs(y + 2.0 - 0.3 * (z - 37.0)), 13.0 - np.abs(z - 36.0)),
    )
    stem = np.minimum(
        wide * (0.8 + 0.6 * wavy) - np.abs(y + 9.0 + 0.2 * side + 3.0 * wavy),
        np.minimum(34.0 - side, 6.0 - np.abs(z - 18.0)),
    )
    found: Field = np.maximum(np.maximum(fissure, insula), stem)
    return found


def _add_tube(
    shape: Field,
    grid: HeadGrid,
    mirrored: tuple[Field, Field, Field],
    ends: tuple[_Tube, _Tube],
    scale: tuple[float, float],
) -> None:
    """Unite `shape` with one piece of a ventricle on the side scale[0], radii times scale[1]."""
    sign, grow = scale
    (start, r0), (end, r1) = ends
    reach = max(r0, r1) * grow + 6.0
    low = [min(a, b) - reach for a, b in zip(start, end, strict=True)]
    high = [max(a, b) + reach for a, b in zip(start, end, strict=True)]
    # Tubes of one side may not grow across the midline, where the mirror image is.
    low[0] = max(low[0], 0.0)
    span = sorted((sign * low[0], sign * high[0]))
    near = grid.box((span[0], low[1], low[2]), (span[1], high[1], high[2]))
    x, y, z = (axis[near] for axis in mirrored)
    tube = capsule((x, y, z), start, end, (r0 * grow, r1 * grow))
    np.maximum(shape[near], tube, out=shape[near])


def ventricles(rng: np.random.Generator, subject: Subject, grid: HeadGrid) -> Field:
    """Ventricles as tapering tubes; larger with atrophy, unequal sides; fractions (Z, Y, X)."""
    result = np.zeros(grid.shape, dtype=np.float32)
    tips = rng.uniform(0.1, 1.2, size=2)  # occipital horns end anywhere
    box = grid.box((-52.0, -52.0, -20.0), (52.0, 85.0, 80.0))
    if result[box].size == 0:
        return result
    x, y, z = grid.part(box)
    bumps = smooth_noise(rng, grid.crop(box), 6.0)
    grow = subject.ventricle * (1.0 + 1.2 * subject.atrophy) ** 0.5
    side = np.abs(x) + 2.4 * np.where(x > 0, subject.asymmetry, -subject.asymmetry)
    mirrored = (side.astype(np.float32), y, z)
    shape = np.full(x.shape, -50.0, dtype=np.float32)
    for sign, tip in zip((-1.0, 1.0), tips, strict=True):
        short = [(place, radius * min(1.0, tip)) for place, radius in _OCCIPITAL]
        for path in (_ARC, (_ARC[-1], *_TEMPORAL), (_ARC[-1], *short)):
            for start, end in pairwise(path):
                _add_tube(shape, grid.crop(box), mirrored, (start, end), (sign, grow))
    slit = (0.9 + 1.8 * subject.atrophy) * grow - np.abs(x)
    third = np.minimum(slit, ellipsoid((x, y, z), (0.0, 6.0, 36.0), (30.0, 18.0, 13.0)))
    fourth = ellipsoid((x, y, z), (0.0, 37.0, 2.0), (7.0 * grow, 4.5 * grow, 10.0))
    fourth -= 0.25 * np.abs(x)  # a roof like a tent, not a ball
    np.maximum(shape, np.maximum(third, fourth), out=shape)
    shape += 0.9 * bumps
    # The septum pellucidum and third ventricle keep the sides apart where tubes would merge.
    septum = ramp(np.abs(x) - 0.9) + (z < 46.0)
    result[box] = ramp(shape, 1.4) * np.minimum(septum, 1.0)
    return result
