"""Anatomy: one complete head without lesions, fixed before any lesion number is drawn.

subject ─> skull ─> brain ─> old damage ─> calcifications = Anatomy
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_build.synthetic.brain import Spaces, build_brain
from model_build.synthetic.fields import ellipsoid, paint, ramp, smooth_noise
from model_build.synthetic.geometry import Field, HeadGrid
from model_build.synthetic.skull import Skull, build_skull
from model_build.synthetic.subject import Subject


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A head on the sub-slice grid of its series.

    Attributes:
        subject: The person.
        grid: Sample points and head coordinates.
        hu: (Z, Y, X) float32 HU without noise.
        depth: (Z, Y, X) mm below the inner table, negative outside the cavity.
        spaces: CSF spaces.
    """

    subject: Subject
    grid: HeadGrid
    hu: Field
    depth: Field
    spaces: Spaces


def build_anatomy(rng: np.random.Generator, subject: Subject, grid: HeadGrid) -> Anatomy:
    """Build the head; all random numbers come from `rng`, the anatomy stream."""
    skull = build_skull(rng, subject, grid)
    spaces = build_brain(rng, subject, grid, skull)
    _paint_old_damage(rng, skull, spaces, subject, grid)
    _paint_calcifications(rng, skull.hu, subject, grid)
    # hu is shared, never copied: whoever bleeds into it makes a copy first (lesions.py).
    return Anatomy(subject, grid, skull.hu, skull.depth, spaces)


def _paint_old_damage(
    rng: np.random.Generator, skull: Skull, spaces: Spaces, subject: Subject, grid: HeadGrid
) -> None:
    """Dark regions that are no edema of a bleed: gliosis and old infarcts."""
    # Drawn even when unused, so that one finding does not move the calcifications.
    patches = smooth_noise(rng, grid, 7.0)
    place = (float(rng.choice([-34.0, 34.0])), *(float(v) for v in rng.uniform(20.0, 60.0, 2)))
    if subject.gliosis_hu > 0.5:
        box = grid.box((-45.0, -55.0, 35.0), (45.0, 75.0, 85.0))
        x, y, z = grid.part(box)
        near = ellipsoid((np.abs(x), y, z), (15.0, 8.0, 56.0), (15.0, 46.0, 15.0))
        white = skull.hu[box] < subject.white_hu + 4.0
        weight = ramp(near + 3.0 * patches[box], 6.0) * white * (1.0 - spaces.ventricles[box])
        skull.hu[box] -= np.float32(subject.gliosis_hu) * weight * (skull.hu[box] > 20.0)
    if subject.infarct_ml:
        radius = (subject.infarct_ml * 1000.0 * 0.239) ** (1 / 3)
        low = tuple(p - 2.0 * radius - 6.0 for p in place)
        box = grid.box(low, tuple(p + 2.0 * radius + 6.0 for p in place))
        centre, radii = (place[0], place[1], place[2]), (radius, 1.3 * radius, radius)
        shape = ellipsoid(grid.part(box), centre, radii) + 0.35 * radius * patches[box]
        paint(skull.hu[box], 16.0, 0.9 * ramp(shape, 2.5) * ramp(skull.depth[box] - 2.0))


def _paint_calcifications(
    rng: np.random.Generator, hu: Field, subject: Subject, grid: HeadGrid
) -> None:
    """Calcium that a reader must not call blood: pineal, choroid, ganglia, falx, siphon."""
    size = [float(s) for s in rng.uniform(1.4, 3.4, size=8)]
    shift = rng.normal(0.0, 2.0, size=(8, 3))
    specks: list[tuple[float, tuple[float, float, float], float]] = [
        (subject.pineal_hu, (0.0, 31.0, 40.0), size[0]),
        (subject.choroid_hu, (22.0, 40.0, 47.0), size[1]),
        (subject.choroid_hu, (-22.0, 40.0, 47.0), size[2]),
        (subject.ganglia_hu, (19.0, -4.0, 40.0), 1.5 * size[3]),
        (subject.ganglia_hu, (-19.0, -4.0, 40.0), 1.5 * size[4]),
        (subject.falx_plaque_hu, (0.0, -55.0, 70.0), 1.2 * size[5]),
        (subject.vessel_hu, (10.0, -8.0, 12.0), 0.8 * size[6]),
        (subject.vessel_hu, (-10.0, -8.0, 12.0), 0.8 * size[7]),
    ]
    for (value, place, radius), move in zip(specks, shift, strict=True):
        if not value:
            continue
        # The pineal and falx plaques keep to the midline.
        near = 0.2 if place[0] == 0.0 else 1.0
        x0, y0, z0 = place[0] + near * move[0], place[1] + move[1], place[2] + move[2]
        low = (x0 - 8.0, y0 - 8.0, z0 - 8.0)
        box = grid.box(low, (x0 + 8.0, y0 + 8.0, z0 + 8.0))
        if hu[box].size == 0:
            continue
        flat = 0.45 if place[1] < -50.0 else 1.0
        shape = ellipsoid(grid.part(box), (x0, y0, z0), (radius * flat, radius, 1.2 * radius))
        paint(hu[box], value, ramp(shape, 1.2))
