"""Benign: paints the findings of a head that are no hemorrhage, before any lesion is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from model_build.synthetic.fields import capsule, ellipsoid, paint, ramp, smooth_noise
from model_build.synthetic.geometry import Box, Field, HeadGrid
from model_build.synthetic.skull import Skull, vault_point
from model_build.synthetic.spaces import Spaces
from model_build.synthetic.subject import Subject

_Point = tuple[float, float, float]


def paint_findings(
    rng: np.random.Generator, skull: Skull, spaces: Spaces, subject: Subject, grid: HeadGrid
) -> None:
    """Paint every benign finding of the subject into the head, in place.

    Args:
        rng: Anatomy stream; no lesion depends on it.
        skull: HU and cavity depth, (Z, Y, X).
        spaces: CSF fractions; hygromas and cysts are added to `csf`.
        subject: The person with the findings.
        grid: Sample points.
    """
    found = subject.findings
    _dark_patches(rng, skull, spaces, subject, grid)
    _lacunes(rng, skull.hu, subject, grid)
    _csf_collections(rng, skull, spaces, subject, grid)
    _dural_mass(rng, skull, subject, grid)
    azimuth, height = float(rng.uniform(20.0, 160.0)), float(rng.uniform(45.0, 85.0))
    side = 1.0 if rng.random() < 0.5 else -1.0
    if found.burr_mm:
        cut_bone(skull.hu, subject, grid, (side * azimuth, height), found.burr_mm)
    if found.fracture:
        turn = float(rng.uniform(0.0, math.pi))
        break_bone(skull.hu, subject, grid, (found.bruise_deg, found.bruise_z), turn)
    if found.shunt:
        _catheter(skull.hu, subject, grid, side)


def break_bone(
    hu: Field, subject: Subject, grid: HeadGrid, place: tuple[float, float], turn: float
) -> None:
    """Cut a fracture line 1 to 2 mm wide through the vault at azimuth (degrees) and height (mm)."""
    point, normal = vault_point(subject, place[0], place[1])
    across = np.cross(normal, (0.0, 0.0, 1.0))
    across /= float(np.linalg.norm(across)) + 1e-6
    plane = math.cos(turn) * across + math.sin(turn) * np.cross(across, normal)
    box, gap, reach = _near(grid, point, plane, 34.0)
    line = ramp(0.7 - np.abs(gap)) * ramp(30.0 - reach, 4.0)
    part = hu[box]
    paint(part, 45.0, 0.8 * line * (part > 250.0))


def cut_bone(
    hu: Field, subject: Subject, grid: HeadGrid, place: tuple[float, float], radius_mm: float
) -> None:
    """Burr hole (small radius) or the gap around a replaced bone flap (large radius)."""
    point, normal = vault_point(subject, place[0], place[1])
    box, along, reach = _near(grid, point, np.asarray(normal), radius_mm + 14.0)
    aside = np.sqrt(np.maximum(reach**2 - along**2, 0.0))
    flap = radius_mm > 12.0
    hole = ramp(1.3 - np.abs(aside - radius_mm)) if flap else ramp(radius_mm - aside)
    part = hu[box]
    paint(part, 32.0, hole * (part > 150.0))
    if flap:  # plates that hold the flap
        plate = ramp(2.5 - np.abs(aside - radius_mm)) * ramp(1.0 - np.abs(along - 1.0))
        wave = np.abs(np.sin(0.11 * (grid.part(box)[2] - place[1])))
        paint(part, 2600.0, plate * ramp(wave - 0.96, 0.03))


def _near(
    grid: HeadGrid, point: _Point, direction: npt.NDArray[np.floating[Any]], reach_mm: float
) -> tuple[Box, Field, Field]:
    """Box around a point, distance along a direction and distance from the point."""
    low = tuple(p - reach_mm for p in point)
    box = grid.box(low, tuple(p + reach_mm for p in point))
    steps = [a - np.float32(p) for a, p in zip(grid.part(box), point, strict=True)]
    along, square = np.zeros_like(steps[0]), np.zeros_like(steps[0])
    for step, part in zip(steps, direction, strict=True):
        along += step * np.float32(part)
        square += step**2
    return box, along, np.sqrt(square)


def _blob(
    rng: np.random.Generator, grid: HeadGrid, centre: _Point, radii: _Point
) -> tuple[Box, Field]:
    """Box and signed distance of an uneven ellipsoid."""
    reach = 1.7 * max(radii) + 6.0
    box = grid.box(tuple(c - reach for c in centre), tuple(c + reach for c in centre))
    if 0 in [s.stop - s.start for s in box]:
        return box, np.zeros([s.stop - s.start for s in box], dtype=np.float32)
    uneven = smooth_noise(rng, grid.crop(box), max(4.0, 0.4 * min(radii)))
    shape = ellipsoid(grid.part(box), centre, radii) + np.float32(0.25 * min(radii)) * uneven
    return box, shape


def _dark_patches(
    rng: np.random.Generator, skull: Skull, spaces: Spaces, subject: Subject, grid: HeadGrid
) -> None:
    """Gliosis around the ventricles, an old infarct, fresh swelling without blood."""
    hu = skull.hu
    if subject.gliosis_hu > 0.5:
        box = grid.box((-45.0, -55.0, 35.0), (45.0, 75.0, 85.0))
        if hu[box].size:
            x, y, z = grid.part(box)
            near = ellipsoid((np.abs(x), y, z), (15.0, 8.0, 56.0), (15.0, 46.0, 15.0))
            near += 3.0 * smooth_noise(rng, grid.crop(box), 7.0)
            white = hu[box] < subject.white_hu + 4.0
            weight = ramp(near, 6.0) * white * (1.0 - spaces.ventricles[box]) * (hu[box] > 20.0)
            hu[box] -= np.float32(subject.gliosis_hu) * weight
    old = (subject.infarct_ml * 1000.0 * 0.239) ** (1 / 3)
    for radius, value, soft in (
        (old, float(rng.uniform(12.0, 20.0)), 2.5),
        (subject.findings.dark_mm, float(rng.uniform(20.0, 27.0)), 5.0),
    ):
        side = float(rng.choice([-34.0, 34.0]))
        centre = (side, float(rng.uniform(-45.0, 60.0)), float(rng.uniform(15.0, 75.0)))
        if radius:
            box, shape = _blob(rng, grid, centre, (radius, 1.3 * radius, radius))
            keep = ramp(skull.depth[box] - 2.0) * (hu[box] > 14.0)
            paint(hu[box], value, 0.85 * ramp(shape, soft) * keep)


def _lacunes(rng: np.random.Generator, hu: Field, subject: Subject, grid: HeadGrid) -> None:
    """Small old infarcts in the nuclei, and a calcified granuloma anywhere."""
    for _ in range(subject.findings.lacunes):
        side = float(rng.choice([-1.0, 1.0]))
        centre = (
            side * float(rng.uniform(10.0, 28.0)),
            float(rng.uniform(-20.0, 20.0)),
            float(rng.uniform(35.0, 58.0)),
        )
        size = float(rng.uniform(1.5, 4.0))
        box, shape = _blob(rng, grid, centre, (size, size, 1.3 * size))
        paint(hu[box], 14.0, 0.85 * ramp(shape, 1.2) * (hu[box] > 14.0))
    place = (float(rng.uniform(-45, 45)), float(rng.uniform(-55, 65)), float(rng.uniform(30, 85)))
    size = float(rng.uniform(1.2, 4.5))
    if subject.findings.speck_hu:
        box, shape = _blob(rng, grid, place, (size, size, size))
        soft = (hu[box] > -20.0) & (hu[box] < 90.0)
        paint(hu[box], subject.findings.speck_hu, ramp(shape, 1.2) * soft)


def _csf_collections(
    rng: np.random.Generator, skull: Skull, spaces: Spaces, subject: Subject, grid: HeadGrid
) -> None:
    """Hygroma over the convexity and arachnoid cyst: extra-axial like a subdural, but CSF."""
    found, hu, depth = subject.findings, skull.hu, skull.depth
    azimuth, height = float(rng.uniform(30.0, 80.0)), float(rng.uniform(50.0, 70.0))
    tone = subject.csf_hu + float(rng.uniform(0.0, 6.0))
    if found.hygroma_mm:
        box = grid.box((-90.0, -105.0, 5.0), (90.0, 100.0, 112.0))
        x, y, z = grid.part(box)
        around = np.degrees(np.arctan2(np.abs(x), -y)) - azimuth
        profile = np.maximum(1.0 - (around / 70.0) ** 2 - ((z - height) / 42.0) ** 2, 0.0) ** 0.5
        film = ramp(found.hygroma_mm * profile - depth[box]) * ramp(depth[box]) * (profile > 0.0)
        film *= (x * found.hygroma_side >= 0.0) & (np.abs(x) > 2.0)
        paint(hu[box], tone, film)
        np.maximum(spaces.csf[box], film * (1 - spaces.ventricles[box]), out=spaces.csf[box])
    side = float(rng.choice([-1.0, 1.0]))
    places = ((46.0, -30.0, 2.0), (8.0, 78.0, -20.0), (50.0, -10.0, 70.0), (14.0, 20.0, 4.0))
    place = places[int(rng.integers(len(places)))]
    if found.cyst_mm:
        radius = found.cyst_mm
        box, shape = _blob(rng, grid, (side * place[0], place[1], place[2]), (radius,) * 3)
        cyst = ramp(shape, 1.5) * ramp(depth[box])
        paint(hu[box], subject.csf_hu, cyst)
        np.maximum(spaces.csf[box], cyst * (1 - spaces.ventricles[box]), out=spaces.csf[box])


def _dural_mass(rng: np.random.Generator, skull: Skull, subject: Subject, grid: HeadGrid) -> None:
    """Meningioma: homogeneous, a little denser than cortex, sometimes with calcium."""
    found = subject.findings
    azimuth, height = float(rng.uniform(-170.0, 170.0)), float(rng.uniform(15.0, 90.0))
    calcium = float(rng.uniform(0.0, 1.0))
    if not found.mass_mm:
        return
    point, normal = vault_point(subject, azimuth, height)
    radius = found.mass_mm
    centre = [p - 0.7 * radius * n for p, n in zip(point, normal, strict=True)]
    box, shape = _blob(rng, grid, (centre[0], centre[1], centre[2]), (radius,) * 3)
    weight = ramp(shape, 1.5) * ramp(skull.depth[box])
    paint(skull.hu[box], found.mass_hu, weight)
    if calcium < 0.3:
        paint(skull.hu[box], 180.0, 0.8 * weight * ramp(shape - 0.7 * radius, 2.0))


def _catheter(hu: Field, subject: Subject, grid: HeadGrid, side: float) -> None:
    """Ventricular catheter from a frontal hole to the foramen of Monro."""
    start, _ = vault_point(subject, side * 25.0, 88.0)
    end = (side * 4.0, -10.0, 50.0)
    low = [min(a, b) - 5.0 for a, b in zip(start, end, strict=True)]
    high = [max(a, b) + 5.0 for a, b in zip(start, end, strict=True)]
    box = grid.box(tuple(low), tuple(high))
    if hu[box].size:
        paint(hu[box], 220.0, ramp(capsule(grid.part(box), start, end, (1.4, 1.4))))
