"""Dura: falx, tentorium, dural sinuses and arteries: bright lines and dots that are no bleed."""

from __future__ import annotations

import numpy as np

from model_build.synthetic.fields import capsule, paint, ramp
from model_build.synthetic.geometry import Field, HeadGrid
from model_build.synthetic.spaces import outside_callosum, tent_height
from model_build.synthetic.subject import Subject

_Point = tuple[float, float, float]

# Start, end and radius in mm of the arteries of the circle of Willis, mirrored at x = 0.
_ARTERIES: tuple[tuple[_Point, _Point, float], ...] = (
    ((0.0, 5.0, -12.0), (0.0, 3.0, 14.0), 1.8),  # basilar
    ((0.0, 3.0, 14.0), (14.0, 14.0, 24.0), 1.1),  # posterior cerebral
    ((10.0, -2.0, 8.0), (9.0, -9.0, 17.0), 2.2),  # end of the carotid
    ((9.0, -9.0, 17.0), (2.0, -16.0, 21.0), 1.1),  # anterior cerebral
    ((2.0, -16.0, 21.0), (1.5, -40.0, 36.0), 1.0),  # on to the callosum
)
_MIDDLE = ((9.0, -9.0, 17.0), (33.0, -13.0, 20.0), 1.5)
_INSULAR = ((33.0, -13.0, 20.0), (39.0, 4.0, 38.0), 1.0)
_VERTEBRAL = ((1.0, 6.0, -14.0), (8.0, 16.0, -36.0), 1.5)


def paint_dura(
    rng: np.random.Generator,
    hu: Field,
    subject: Subject,
    grid: HeadGrid,
    cavity: tuple[Field, Field],
) -> None:
    """Paint membranes and vessels into `hu` (Z, Y, X), HU, in place.

    Args:
        rng: Anatomy stream.
        hu: Head with its brain.
        subject: The person.
        grid: Sample points.
        cavity: Depth below the inner table, and distance behind the petrous ridge, mm.
    """
    _paint_falx(hu, subject, grid, cavity[0], float(np.clip(rng.normal(0.0, 0.2), -0.4, 0.4)))
    _paint_tentorium(hu, subject, grid, cavity)
    _paint_arteries(rng, hu, subject, grid, cavity[0])


def _paint_falx(hu: Field, subject: Subject, grid: HeadGrid, depth: Field, lean: float) -> None:
    """Falx with the superior sagittal sinus along its upper edge."""
    box = grid.box((-12.0, -115.0, 0.0), (12.0, 115.0, 140.0))
    x, y, z = grid.part(box)
    inside = ramp(depth[box])
    above = z - tent_height((x, y, z))
    reach = ramp(outside_callosum(y, z) - 1.5, 2.0)
    reach *= ramp(np.where(y > 10.0, above, z - 16.0), 2.0)
    # The falx is thin in front and thick where the tentorium joins it.
    half = subject.falx_mm * (0.75 + 0.5 * np.clip((y + 60.0) / 140.0, 0.0, 1.0))
    sheet = ramp(half - np.abs(x + lean))
    paint(hu[box], subject.falx_hu, sheet * reach * inside)
    edge = np.minimum(5.5 - depth[box] - 1.1 * np.abs(x), z - 8.0)
    straight = 2.2 - np.sqrt(x**2 + (above - 1.0) ** 2) - 30.0 * ramp(34.0 - y, 2.0)
    paint(hu[box], subject.sinus_hu, ramp(np.maximum(edge, straight), 1.5) * inside)


def _paint_tentorium(
    hu: Field, subject: Subject, grid: HeadGrid, cavity: tuple[Field, Field]
) -> None:
    """Tentorium around its notch, and the transverse and sigmoid sinuses at its border."""
    box = grid.box((-80.0, -20.0, -30.0), (80.0, 100.0, 42.0))
    x, y, z = grid.part(box)
    depth, ridge = (field[box] for field in cavity)
    inside = ramp(depth)
    above = z - tent_height((x, y, z))
    tent = ramp(subject.falx_mm + 0.1 - np.abs(above) * 0.88, 1.2) * ramp(ridge, 3.0)
    notch = np.sqrt((x / 17.0) ** 2 + ((y - 18.0) / 24.0) ** 2)
    paint(hu[box], subject.falx_hu, 0.85 * tent * ramp(17.0 * notch - 17.0, 1.5) * inside)
    right = np.where(x < 0.0, 1.0, -1.0) * subject.asymmetry * 6.0  # one side usually leads
    transverse = np.minimum(4.4 + right - depth, 4.0 - np.abs(above)) - 20.0 * (y < 25.0)
    sigmoid = np.minimum(
        3.6 + right - depth, np.minimum(6.0 - np.abs(ridge - 8.0), np.abs(x) - 40.0)
    )
    sigmoid = np.minimum(sigmoid, np.minimum(-above, z + 28.0))
    veins = np.maximum(transverse, sigmoid)
    paint(hu[box], subject.sinus_hu, ramp(veins, 1.5) * inside)


def _paint_arteries(
    rng: np.random.Generator, hu: Field, subject: Subject, grid: HeadGrid, depth: Field
) -> None:
    """Circle of Willis in its cisterns; a clotted or calcified branch is much denser."""
    jitter = rng.normal(0.0, 1.0, size=3)
    calcified = rng.random(3) < 0.35  # of the people with vessel calcium
    box = grid.box((-46.0, -46.0, -40.0), (46.0, 22.0, 44.0))
    x, y, z = grid.part(box)
    if x.size == 0:
        return
    part, inside = hu[box], ramp(depth[box])
    moved = (np.abs(x), y - np.float32(jitter[1]), z - np.float32(jitter[2]))
    for start, end, radius in (*_ARTERIES, _MIDDLE, _INSULAR, _VERTEBRAL):
        tube = capsule(moved, start, end, (radius, 0.8 * radius))
        paint(part, subject.vessel_blood_hu, ramp(tube) * inside)
    if subject.findings.dense_artery:
        clot = capsule(moved, *_MIDDLE[:2], (1.7, 1.4))
        side = x * subject.findings.dense_artery > 0
        paint(part, subject.vessel_blood_hu + 24.0, ramp(clot) * inside * side)
    if subject.vessel_hu:
        plaques = ((_ARTERIES[0], 1.9), (_MIDDLE, 1.1), (_VERTEBRAL, 1.7))
        for (tube_, radius), used in zip(plaques, calcified, strict=True):
            if used:
                middle = tuple(0.5 * (a + b) for a, b in zip(tube_[0], tube_[1], strict=True))
                spot = capsule(moved, (middle[0], middle[1], middle[2]), tube_[1], (radius, 0.5))
                paint(part, subject.vessel_hu, 0.8 * ramp(spot) * inside)
