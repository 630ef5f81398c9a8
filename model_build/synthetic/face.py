"""Face: everything below the cranial floor: orbits, air cells, petrous bone, jaw, neck.

fat ─> muscles ─> floor plate ─> bones ─> petrous pyramids and mastoid cells ─> air ─> orbits
All parts are mirrored at x = 0; places are mm in the head frame of geometry.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_build.synthetic.fields import capsule, ellipsoid, expand, paint, ramp, smooth_noise
from model_build.synthetic.geometry import Box, Field, HeadGrid
from model_build.synthetic.subject import Subject

_Point = tuple[float, float, float]

FLOOR_TOP_MM = 30.0  # nothing of the skull base reaches higher
_FAT_HU, _MUSCLE_HU, _AIR_HU = -95.0, 54.0, -1000.0
_PHARYNX = 4  # of the air spaces the one without a wall of bone

_MUSCLES: tuple[tuple[_Point, _Point], ...] = (
    ((60.0, -24.0, -8.0), (7.0, 24.0, 34.0)),  # temporalis
    ((56.0, -38.0, -48.0), (8.0, 16.0, 26.0)),  # masseter
    ((34.0, -24.0, -30.0), (13.0, 14.0, 10.0)),  # lateral pterygoid
    ((29.0, -22.0, -54.0), (9.0, 13.0, 20.0)),  # medial pterygoid
    ((9.0, 5.0, -52.0), (9.0, 8.0, 28.0)),  # longus capitis
    ((54.0, 44.0, -56.0), (9.0, 13.0, 36.0)),  # sternocleidomastoid
    ((16.0, 74.0, -58.0), (14.0, 13.0, 40.0)),  # semispinalis
    ((36.0, 62.0, -58.0), (15.0, 11.0, 36.0)),  # splenius
    ((14.0, 56.0, -58.0), (11.0, 9.0, 22.0)),  # suboccipital
    ((44.0, -10.0, -50.0), (9.0, 9.0, 30.0)),  # parotid
)
# Start, end, radii at both ends, HU.
_BONES: tuple[tuple[_Point, _Point, tuple[float, float], float], ...] = (
    ((48.0, -74.0, -28.0), (64.0, -46.0, -24.0), (5.0, 2.4), 800.0),  # malar bone
    ((64.0, -46.0, -24.0), (67.0, -4.0, -18.0), (2.2, 3.0), 850.0),  # zygomatic arch
    ((50.0, -66.0, 4.0), (52.0, -66.0, -26.0), (4.5, 4.0), 850.0),  # lateral orbital rim
    ((50.0, 1.0, -22.0), (50.0, -6.0, -36.0), (6.5, 4.0), 750.0),  # mandibular condyle
    ((51.0, -8.0, -36.0), (48.0, -24.0, -72.0), (4.5, 5.0), 800.0),  # mandibular ramus
    ((16.0, -33.0, -18.0), (17.0, -30.0, -56.0), (2.2, 1.6), 600.0),  # pterygoid plates
    ((0.0, -6.0, -10.0), (0.0, 17.0, -38.0), (10.0, 6.0), 450.0),  # clivus
    ((16.0, 26.0, -44.0), (17.0, 38.0, -42.0), (6.0, 5.0), 750.0),  # occipital condyle
    ((19.0, 32.0, -54.0), (19.0, 34.0, -66.0), (7.5, 7.5), 700.0),  # atlas
    ((0.0, 24.0, -50.0), (0.0, 26.0, -90.0), (4.5, 7.0), 650.0),  # dens and axis
    ((19.0, 42.0, -60.0), (0.0, 60.0, -62.0), (3.0, 3.5), 750.0),  # arch of the atlas
    ((31.0, 14.0, -26.0), (29.0, 4.0, -58.0), (2.2, 1.2), 750.0),  # styloid
)


@dataclass(frozen=True, slots=True)
class _Region:
    """The part of the grid that can hold the face."""

    hu: Field
    grid: HeadGrid
    xyz: tuple[Field, Field, Field]
    mirrored: tuple[Field, Field, Field]
    below: Field
    floor: Field
    coarse: Field
    grain: Field


def paint_face(
    rng: np.random.Generator,
    hu: Field,
    subject: Subject,
    grid: HeadGrid,
    shell: tuple[Field, Field],
) -> None:
    """Paint the face and skull base into `hu` (Z, Y, X), HU, in place.

    Args:
        rng: Anatomy stream.
        hu: Head with scalp and calvaria painted.
        subject: The person.
        grid: Sample points.
        shell: Depth below the inner table of the vault, and height above the floor, mm.
    """
    box = grid.box((-92.0, -120.0, -200.0), (92.0, 115.0, FLOOR_TOP_MM))
    jitter = rng.normal(0.0, 1.5, size=(len(_MUSCLES) + len(_BONES), 3)).astype(np.float32)
    if hu[box].size == 0:
        return
    local = grid.crop(box)
    coarse = expand(smooth_noise(rng, local.coarse(2.0), 4.0), local.shape)
    grain = smooth_noise(rng, local, 1.5)
    inner, floor = (field[box] for field in shell)
    xyz = local.xyz
    mirrored = (np.abs(xyz[0]), xyz[1], xyz[2])
    below = ramp(inner) * ramp(-floor)
    region = _Region(hu[box], local, xyz, mirrored, below, floor, coarse, grain)
    _paint_nose(region)
    _paint_soft_tissue(region, jitter)
    _paint_bones(region, subject, jitter[len(_MUSCLES) :])
    # Each group needs its own part of the face only.
    _paint_petrous(_inside(region, (-92.0, -12.0, -50.0), (92.0, 60.0, 12.0)))
    _paint_air(_inside(region, (-48.0, -120.0, -90.0), (48.0, 5.0, FLOOR_TOP_MM)), subject)
    _paint_orbits(_inside(region, (-56.0, -110.0, -32.0), (56.0, -26.0, 14.0)))


def _around(region: _Region, low: _Point, high: _Point, reach: float) -> list[Box]:
    """Index boxes on both sides around the span of two places."""
    first = [min(a, b) - reach for a, b in zip(low, high, strict=True)]
    last = [max(a, b) + reach for a, b in zip(low, high, strict=True)]
    return region.grid.mirrored_boxes(tuple(first), tuple(last))


def _at(region: _Region, box: Box) -> tuple[Field, Field, Field]:
    x, y, z = region.mirrored
    return x[box], y[box], z[box]


def _moved(place: _Point, by: Field) -> _Point:
    # What lies in the midline stays there.
    return (place[0] + float(by[0]) * (place[0] > 0.0), place[1] + float(by[1]), place[2])


def _inside(region: _Region, low: _Point, high: _Point) -> _Region:
    """The part of a region between two places; its fields are views."""
    box = region.grid.box(low, high)
    local = region.grid.crop(box)
    x, y, z = region.grid.part(box)
    fields = (region.below, region.floor, region.coarse, region.grain)
    below, floor, coarse, grain = (field[box] for field in fields)
    mirrored = (np.abs(x), y, z)
    return _Region(region.hu[box], local, (x, y, z), mirrored, below, floor, coarse, grain)


def _paint_nose(region: _Region) -> None:
    """Nose and ears: soft tissue that stands out of the ellipsoid of the head."""
    outside = ramp(-700.0 - region.hu, 200.0)
    nose = capsule(region.xyz, (0.0, -88.0, -8.0), (0.0, -102.0, -40.0), (7.0, 12.0))
    nostril = capsule(region.mirrored, (5.0, -98.0, -48.0), (4.0, -86.0, -40.0), (3.5, 4.0))
    paint(region.hu, 25.0, outside * ramp(nose) * ramp(-nostril))
    pinna = ellipsoid(region.mirrored, (83.0, 18.0, -12.0), (4.0, 15.0, 28.0))
    paint(region.hu, 10.0, outside * ramp(pinna + 0.8 * region.coarse) * ramp(region.coarse + 0.6))


def _paint_soft_tissue(region: _Region, jitter: Field) -> None:
    """Muscles with planes and pads of fat between them."""
    # Fat lies in planes between muscles and in pads where the texture is highest.
    planes = np.maximum(ramp(0.16 - np.abs(region.coarse), 0.2), ramp(region.coarse - 1.1, 0.4))
    paint(region.hu, _MUSCLE_HU - 8.0 + 6.0 * region.grain, region.below)
    paint(region.hu, _FAT_HU, region.below * planes)
    muscles = np.full(region.hu.shape, -30.0, dtype=np.float32)
    for (centre, radii), by in zip(_MUSCLES, jitter, strict=False):
        place = _moved(centre, by)
        low = tuple(c - r for c, r in zip(place, radii, strict=True))
        high = tuple(c + r for c, r in zip(place, radii, strict=True))
        for box in _around(region, (low[0], low[1], low[2]), (high[0], high[1], high[2]), 4.0):
            part = ellipsoid(_at(region, box), place, radii)
            np.maximum(muscles[box], part, out=muscles[box])
    muscles += 1.2 * region.coarse
    paint(region.hu, _FAT_HU, region.below * ramp(1.2 - np.abs(muscles), 0.8))
    paint(region.hu, _MUSCLE_HU + 5.0 * region.grain, region.below * ramp(muscles - 0.8))


def _paint_bones(region: _Region, subject: Subject, jitter: Field) -> None:
    """Floor plate, jaw, cheek and the first vertebrae: a dense shell around marrow."""
    front = ramp(-20.0 - region.xyz[1], 10.0)
    plate = region.below * ramp(4.0 - 2.2 * front + 0.6 * region.coarse + region.floor)
    paint(region.hu, subject.bone_hu * 0.8, plate)
    for (start, end, radii, value), by in zip(_BONES, jitter, strict=True):
        first, last = _moved(start, by), _moved(end, by)
        for box in _around(region, first, last, max(radii) + 3.0):
            tube = capsule(_at(region, box), first, last, radii) + 0.5 * region.coarse[box]
            density = np.where(tube > 2.0, 0.45 * value, value).astype(np.float32)
            paint(region.hu[box], density, ramp(tube) * region.below[box])


def _paint_petrous(region: _Region) -> None:
    """Dense petrous pyramids with inner ear, canals and the cells of the mastoid."""
    mirrored, below = region.mirrored, region.below
    pyramid = capsule(mirrored, (13.0, 7.0, -9.0), (58.0, 32.0, -8.0), (6.0, 12.0))
    dense = 900.0 + 350.0 * np.clip(region.coarse, -1.2, 1.6)
    paint(region.hu, dense, below * ramp(pyramid))
    capsule_ = ellipsoid(mirrored, (31.0, 17.0, -6.0), (8.0, 6.0, 5.0))
    paint(region.hu, 1650.0, 0.9 * below * ramp(capsule_))
    paint(region.hu, 60.0, below * ramp(ellipsoid(mirrored, (33.0, 17.0, -6.0), (2.4, 2.0, 1.6))))
    meatus = capsule(mirrored, (13.0, 12.0, -5.0), (24.0, 16.0, -6.0), (3.0, 2.0))
    paint(region.hu, 15.0, ramp(meatus))
    carotid = capsule(mirrored, (27.0, 8.0, -28.0), (15.0, 0.0, -10.0), (3.4, 3.2))
    jugular = ellipsoid(mirrored, (27.0, 22.0, -22.0), (5.0, 4.0, 7.0))
    paint(region.hu, 48.0, below * ramp(np.maximum(carotid, jugular)))
    mastoid = ellipsoid(mirrored, (57.0, 33.0, -14.0), (13.0, 15.0, 19.0))
    cells = ramp(mastoid) * ramp(region.grain + 0.15, 0.5)
    paint(region.hu, -850.0, below * cells)
    drum = ellipsoid(mirrored, (44.0, 12.0, -10.0), (3.0, 5.0, 6.0))
    canal = capsule(mirrored, (46.0, 12.0, -14.0), (92.0, 12.0, -16.0), (3.0, 4.5))
    paint(region.hu, _AIR_HU, ramp(np.maximum(drum, canal)))


def _paint_air(region: _Region, subject: Subject) -> None:
    """Paranasal sinuses, ethmoid cells, nasal cavity with septum and turbinates, pharynx."""
    side, y, z = region.mirrored
    antrum = ellipsoid(region.mirrored, (28.0, -60.0, -42.0), (14.0, 17.0, 18.0))
    ethmoid = np.minimum(12.0 - side, np.minimum(20.0 - np.abs(y + 54.0), 10.0 - np.abs(z + 8.0)))
    sphenoid = ellipsoid(region.mirrored, (8.0, -20.0, -9.0), (9.5, 13.0, 10.0))
    nasal = np.minimum(12.5 - side, np.minimum(32.0 - np.abs(y + 60.0), 22.0 - np.abs(z + 42.0)))
    pharynx = ellipsoid(region.mirrored, (0.0, -14.0, -56.0), (11.0, 9.0, 22.0))
    spaces = [antrum + region.coarse, ethmoid, sphenoid + 0.8 * region.coarse, nasal, pharynx]
    if subject.frontal_sinus:
        front = (9.0, -subject.half_length_mm + 8.0, 12.0)
        spaces.append(ellipsoid(region.mirrored, front, (17.0, 5.5, 14.0)) + region.coarse)
    for number, space in enumerate(spaces):
        wall = ramp(space + 1.4) * np.maximum(region.below, ramp(space))
        paint(region.hu, 45.0 if number == _PHARYNX else 520.0, wall)
        paint(region.hu, _AIR_HU, ramp(space))
    # Septa at slightly irregular steps, as the cells of the ethmoid have.
    phase = 0.62 * y + 0.9 * region.coarse
    septa = np.maximum(ramp(0.42 - np.abs(np.sin(phase)), 0.3), ramp(1.0 - side))
    paint(region.hu, 280.0, septa * ramp(ethmoid))
    turbinates = np.maximum(
        ellipsoid(region.mirrored, (7.5, -56.0, -50.0), (3.2, 22.0, 6.0)),
        ellipsoid(region.mirrored, (7.0, -54.0, -34.0), (2.6, 18.0, 5.0)),
    )
    paint(region.hu, 50.0, ramp(turbinates + 0.5 * region.coarse) * ramp(nasal))
    paint(region.hu, 260.0, ramp(1.1 - np.abs(region.xyz[0] + region.coarse)) * ramp(nasal))
    # Mucosa and retained fluid fill some sinuses from their wall.
    if subject.findings.mucosa_mm > 0.0:
        film = ramp(antrum) * ramp(subject.findings.mucosa_mm + 2.0 * region.coarse - antrum)
        paint(region.hu, 28.0, film * (region.xyz[0] > 0))


def _paint_orbits(region: _Region) -> None:
    """Orbital fat in thin bone, eyeballs with lens, optic nerves and straight muscles."""
    mirrored = region.mirrored
    orbit = capsule(mirrored, (33.0, -70.0, -10.0), (15.0, -34.0, -5.0), (17.5, 4.0))
    deep = ramp(-64.0 - mirrored[1], 8.0)
    paint(region.hu, 650.0, ramp(0.8 - np.abs(orbit + 1.0)) * (1.0 - deep))
    paint(region.hu, -88.0, ramp(orbit))
    for start in ((33.0, -66.0, -10.0), (45.0, -66.0, -10.0), (20.5, -66.0, -10.0)):
        paint(region.hu, 45.0, ramp(capsule(mirrored, start, (14.0, -34.0, -4.0), (2.2, 1.8))))
    for rise in (9.0, -10.0):
        belly = capsule(mirrored, (32.0, -66.0, rise - 10.0), (14.0, -34.0, -4.0), (2.0, 1.8))
        paint(region.hu, 48.0, ramp(belly))
    eye = ellipsoid(mirrored, (33.0, -80.0, -10.0), (12.2, 12.2, 12.2))
    paint(region.hu, 48.0, ramp(eye))
    paint(region.hu, 10.0, ramp(eye - 1.4))
    paint(region.hu, 75.0, ramp(ellipsoid(mirrored, (33.0, -88.5, -10.0), (4.5, 2.2, 4.5))))
    lid = ellipsoid(mirrored, (33.0, -84.0, -10.0), (17.0, 13.5, 15.0))
    paint(region.hu, 30.0, ramp(lid) * ramp(-eye) * ramp(-region.hu - 500.0, 200.0))
