"""Skull: scalp, calvaria, skull base, sinuses and orbits.

outer distance ─> scalp ─> two tables and diploe ─> base plane ─> petrous bone, air cells, orbits
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_build.synthetic.fields import capsule, ellipsoid, expand, paint, ramp, smooth_noise
from model_build.synthetic.geometry import Field, HeadGrid
from model_build.synthetic.subject import Subject

CENTRE_Z_MM = 18.0  # widest section of the head
_BELOW_MM = 100.0  # semi-axis below it: the head tapers slowly towards the neck
_EXPONENT = 2.3
_FLOOR_TOP_MM = 28.0  # nothing of the skull base reaches higher


@dataclass(frozen=True, slots=True)
class Skull:
    """Painted head without its content.

    Attributes:
        hu: (Z, Y, X) float32 HU; the cavity is filled with CSF.
        depth: Distance in mm from the inner table or base into the cavity, negative outside.
        ridge: (Z, Y, X) y minus the petrous ridge, mm: positive in the posterior fossa.
    """

    hu: Field
    depth: Field
    ridge: Field


def vault_distance(subject: Subject, grid: HeadGrid) -> Field:
    """Distance in mm from the outer table, positive inside: superellipsoid, exponent 2.3."""
    x, y, z = grid.xyz
    along = y / np.float32(subject.half_length_mm)
    # The forehead is narrower than the parietal width.
    width = np.float32(subject.half_width_mm) * (1.0 + 0.07 * along - 0.05 * along**2)
    height = np.where(z > CENTRE_Z_MM, subject.vault_mm - CENTRE_Z_MM, _BELOW_MM)
    up = (z - CENTRE_Z_MM) / height
    total = np.abs(x / width) ** _EXPONENT + np.abs(along) ** _EXPONENT + np.abs(up) ** _EXPONENT
    radius = np.maximum(total, 1e-4) ** np.float32(1.0 / _EXPONENT)
    reach = np.sqrt(x**2 + y**2 + (z - CENTRE_Z_MM) ** 2)
    distance: Field = (reach * (1.0 / radius - 1.0)).astype(np.float32)
    return distance


def petrous_ridge_y(x: Field) -> Field:
    """Y of the petrous ridge at lateral position x, mm: it runs back and outwards."""
    ridge: Field = (2.0 + 0.5 * np.abs(x)).astype(np.float32, copy=False)
    return ridge


def floor_height(xyz: tuple[Field, Field, Field]) -> Field:
    """Height z in mm of the cranial floor: anterior, middle and posterior fossa."""
    x, y, _ = xyz
    side = np.abs(x)
    ridge_y = petrous_ridge_y(x)
    # The sphenoid wings run outwards and forwards.
    front = ramp(-13.0 - 0.42 * side - y, 11.0)
    back = ramp(y - ridge_y, 6.0)
    middle = np.clip(1.0 - front - back, 0.0, 1.0)
    roof = 13.0 + 6.0 * np.exp(-(((side - 30.0) / 13.0) ** 2)) - 6.0 * np.exp(-((x / 6.0) ** 2))
    centre = np.hypot(x, y - 38.0)
    bowl = -42.0 + 22.0 * (centre / 60.0) ** 2 - 120.0 * ramp(13.0 - centre, 4.0)
    floor = front * roof + middle * (-12.0 + 16.0 * np.exp(-((x / 12.0) ** 2))) + back * bowl
    crest = 6.0 - ((y - ridge_y) / 3.0) ** 2 - 40.0 * ramp(9.0 - side, 6.0)
    floor = np.maximum(floor, np.maximum(crest, -30.0) - 60.0 * ramp(side - 72.0, 8.0))
    result: Field = np.maximum(floor, -160.0).astype(np.float32)
    return result


def build_skull(rng: np.random.Generator, subject: Subject, grid: HeadGrid) -> Skull:
    """Paint scalp and skull and measure the cavity."""
    coarse = grid.coarse(4.0)
    outer = vault_distance(subject, coarse) + 1.2 * smooth_noise(rng, coarse, 28.0)
    thickness = subject.skull_mm * (1.0 + 0.13 * smooth_noise(rng, coarse, 14.0))
    # Occiput and frontal bone are thicker than the temporal squama.
    thickness *= 0.86 + 0.3 * (coarse.xyz[1] / subject.half_length_mm) ** 2
    scalp = subject.scalp_mm * (1.0 + 0.15 * smooth_noise(rng, coarse, 20.0))
    fine = grid.coarse(2.0)
    floor = fine.xyz[2] - floor_height(fine.xyz) - 1.3 * smooth_noise(rng, fine, 6.0)
    outer, thickness, scalp, floor = (
        expand(f.astype(np.float32), grid.shape) for f in (outer, thickness, scalp, floor)
    )
    inner = outer - thickness
    depth = np.minimum(inner, floor)
    hu = np.full(grid.shape, -1000.0, dtype=np.float32)
    _paint_shell(rng, hu, subject, grid, (outer, thickness, scalp))
    _paint_base(rng, hu, subject, grid, (inner, floor))
    paint(hu, subject.csf_hu, ramp(depth))
    x, y, _ = grid.xyz
    return Skull(hu, depth, y - petrous_ridge_y(x))


def _paint_shell(
    rng: np.random.Generator,
    hu: Field,
    subject: Subject,
    grid: HeadGrid,
    shell: tuple[Field, Field, Field],
) -> None:
    """Skin, fat, muscle, then the two tables with diploe between, from outside in."""
    outer, thickness, scalp = shell
    paint(hu, 38.0, ramp(outer + scalp))
    paint(hu, -95.0, ramp(outer + scalp - 1.8) * ramp(-outer))
    _, y, z = grid.xyz
    temple = ramp(55.0 - z, 20.0) * ramp(48.0 - np.abs(y + 15.0), 12.0)
    paint(hu, 50.0, ramp(outer + 0.55 * scalp) * temple)
    # The calvaria ends at the base: higher in front, lower at the back.
    calvaria = ramp(z + 14.0 + 0.3 * y, 4.0)
    paint(hu, subject.bone_hu, ramp(outer) * calvaria)
    table = 1.6 + 0.1 * thickness
    marrow = subject.diploe_hu * (1.0 + 0.15 * smooth_noise(rng, grid, 3.0))
    paint(hu, marrow, ramp(outer - table) * ramp(thickness - table - outer) * calvaria)


def _paint_base(
    rng: np.random.Generator,
    hu: Field,
    subject: Subject,
    grid: HeadGrid,
    walls: tuple[Field, Field],
) -> None:
    """Everything below the cranial floor: bone plate, petrous bone, air cells, face."""
    box = grid.box((-90.0, -110.0, -80.0), (90.0, 110.0, _FLOOR_TOP_MM))
    if hu[box].size == 0:
        return
    xyz = grid.part(box)
    part, inner, floor = hu[box], walls[0][box], walls[1][box]
    texture = expand(smooth_noise(rng, grid.coarse(1.8), 3.0), grid.shape)[box]
    below = ramp(inner) * ramp(-floor)
    paint(part, -80.0, below)
    paint(part, 52.0, below * ramp(texture + 0.55, 0.5))
    paint(part, 550.0, below * ramp(texture - 1.7, 0.5) * ramp(xyz[2] + 45.0, 10.0))
    plate = below * ramp(5.0 + texture - np.abs(floor))
    paint(part, subject.bone_hu * (0.85 + 0.15 * np.clip(texture, -1.0, 1.0)), plate)
    _paint_petrous(part, xyz, below, texture)
    _paint_air(part, xyz, below, texture, subject)
    _paint_orbits(part, xyz)


def _paint_petrous(
    part: Field, xyz: tuple[Field, Field, Field], below: Field, texture: Field
) -> None:
    """Dense petrous pyramids with mastoid air cells and the ear canals."""
    mirrored = (np.abs(xyz[0]), xyz[1], xyz[2])
    pyramid = capsule(mirrored, (14.0, 8.0, -8.0), (60.0, 30.0, -6.0), (6.0, 11.0))
    paint(part, 1350.0 + 220.0 * np.clip(texture, -1.5, 1.0), below * ramp(pyramid))
    cells = ellipsoid(mirrored, (58.0, 31.0, -12.0), (10.0, 14.0, 15.0))
    paint(part, -700.0, below * ramp(cells) * ramp(texture + 0.1, 0.3))
    canal = capsule(mirrored, (42.0, 12.0, -14.0), (84.0, 10.0, -15.0), (3.0, 4.0))
    paint(part, -1000.0, ramp(canal))


def _paint_air(
    part: Field,
    xyz: tuple[Field, Field, Field],
    below: Field,
    texture: Field,
    subject: Subject,
) -> None:
    """Paranasal sinuses: thin bone around air, septa in the ethmoid."""
    mirrored = (np.abs(xyz[0]), xyz[1], xyz[2])
    spaces = [
        ellipsoid(mirrored, (6.0, -58.0, -6.0), (9.0, 20.0, 14.0)),
        ellipsoid(mirrored, (8.0, -20.0, -8.0), (9.0, 12.0, 9.0)),
        ellipsoid(mirrored, (26.0, -58.0, -40.0), (14.0, 18.0, 17.0)),
        ellipsoid(mirrored, (5.0, -60.0, -36.0), (5.0, 24.0, 18.0)),
    ]
    if subject.frontal_sinus:
        spaces.append(
            ellipsoid(mirrored, (10.0, -subject.half_length_mm + 8.0, 12.0), (16.0, 5.0, 11.0))
        )
    for space in spaces:
        paint(part, 550.0, ramp(space + 1.5) * np.maximum(below, ramp(space)))
        paint(part, -1000.0, ramp(space))
    septa = ramp(0.12 - np.abs(texture), 0.2) * ramp(spaces[0])
    paint(part, 300.0, septa)


def _paint_orbits(part: Field, xyz: tuple[Field, Field, Field]) -> None:
    """Orbital fat, eyeballs with lens, optic nerves; symmetric."""
    mirrored = (np.abs(xyz[0]), xyz[1], xyz[2])
    orbit = capsule(mirrored, (33.0, -72.0, -10.0), (15.0, -36.0, -4.0), (17.0, 5.0))
    paint(part, -90.0, ramp(orbit))
    paint(
        part, 42.0, ramp(capsule(mirrored, (33.0, -66.0, -10.0), (13.0, -34.0, -3.0), (2.0, 2.0)))
    )
    wall = ramp(0.7 - np.abs(orbit - 3.0))
    paint(part, 48.0, 0.7 * wall)
    eye = ellipsoid(mirrored, (33.0, -78.0, -10.0), (12.0, 12.0, 12.0))
    paint(part, 45.0, ramp(eye))
    paint(part, 11.0, ramp(eye - 1.3))
    paint(part, 75.0, ramp(ellipsoid(mirrored, (33.0, -87.0, -10.0), (4.5, 2.0, 4.5))))
