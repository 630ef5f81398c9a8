"""Anatomy: one complete head without lesions, fixed before any lesion number is drawn.

subject ─> skull ─> brain ─> benign findings ─> calcifications = Anatomy
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_build.synthetic.benign import paint_findings
from model_build.synthetic.brain import build_brain
from model_build.synthetic.fields import ellipsoid, paint, ramp
from model_build.synthetic.geometry import Field, HeadGrid
from model_build.synthetic.skull import build_skull
from model_build.synthetic.spaces import Spaces
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
    paint_findings(rng, skull, spaces, subject, grid)
    _paint_calcifications(rng, skull.hu, subject, grid)
    # hu is shared, never copied: whoever bleeds into it makes a copy first (lesions.py).
    return Anatomy(subject, grid, skull.hu, skull.depth, spaces)


def _paint_calcifications(
    rng: np.random.Generator, hu: Field, subject: Subject, grid: HeadGrid
) -> None:
    """Calcium that a reader must not call blood: pineal, choroid, ganglia, falx, siphon."""
    size = [float(s) for s in rng.uniform(1.4, 3.6, size=12)]
    shift = rng.normal(0.0, 2.0, size=(12, 3))
    twin = rng.random(3)  # the second of a pair may be fainter or missing
    specks: list[tuple[float, tuple[float, float, float], float]] = [
        (subject.pineal_hu, (0.0, 31.0, 40.0), size[0]),
        (subject.choroid_hu, (22.0, 40.0, 47.0), 1.2 * size[1]),
        (subject.choroid_hu * (twin[0] > 0.2), (-22.0, 40.0, 47.0), 1.2 * size[2]),
        (subject.ganglia_hu, (19.0, -4.0, 40.0), 1.7 * size[3]),
        (subject.ganglia_hu * (twin[1] > 0.3), (-19.0, -4.0, 40.0), 1.7 * size[4]),
        (subject.falx_plaque_hu, (0.0, -55.0, 70.0), 1.2 * size[5]),
        (subject.falx_plaque_hu * (twin[2] > 0.5), (0.0, -30.0, 88.0), 1.5 * size[6]),
        (subject.vessel_hu, (10.0, -8.0, 12.0), 0.8 * size[7]),
        (subject.vessel_hu, (-10.0, -8.0, 12.0), 0.8 * size[8]),
    ]
    for (value, place, radius), move in zip(specks, shift, strict=False):
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
