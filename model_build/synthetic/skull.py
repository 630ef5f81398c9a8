"""Skull: scalp, calvaria and the floor of the cavity; the face below it is face.py.

outer distance ─> scalp ─> two tables and diploe ─> cranial floor ─> depth of the cavity
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from model_build.synthetic.face import paint_face
from model_build.synthetic.fields import expand, paint, ramp, smooth_noise
from model_build.synthetic.geometry import Field, HeadGrid
from model_build.synthetic.subject import Subject

CENTRE_Z_MM = 18.0  # widest section of the head
_BELOW_MM = 100.0  # semi-axis below it: the head tapers slowly towards the neck
_EXPONENT = 2.3


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
    width = np.float32(subject.half_width_mm) * (1.0 + subject.egg * along - 0.05 * along**2)
    # The face narrows towards the nose, the neck towards the shoulders.
    width *= 1.0 - 0.28 * ramp(-12.0 - z, 50.0) * np.clip(-along, 0.0, 1.0) ** 2
    height = np.where(z > CENTRE_Z_MM, subject.vault_mm - CENTRE_Z_MM, _BELOW_MM)
    up = (z - CENTRE_Z_MM) / height
    total = np.abs(x / width) ** _EXPONENT + np.abs(along) ** _EXPONENT + np.abs(up) ** _EXPONENT
    radius = np.maximum(total, 1e-4) ** np.float32(1.0 / _EXPONENT)
    reach = np.sqrt(x**2 + y**2 + (z - CENTRE_Z_MM) ** 2)
    distance: Field = (reach * (1.0 / radius - 1.0)).astype(np.float32)
    return distance


def vault_point(
    subject: Subject, azimuth_deg: float, z_mm: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Point of the inner table at an azimuth (0 front, 90 left) and its outward normal."""
    a = subject.half_width_mm - subject.skull_mm
    b = subject.half_length_mm - subject.skull_mm
    up = subject.vault_mm - CENTRE_Z_MM
    lift = min(0.95, max(0.0, (z_mm - CENTRE_Z_MM) / up))
    shrink = (1.0 - lift**2.3) ** (1 / 2.3)
    angle = math.radians(azimuth_deg)
    sx, sy = math.sin(angle), -math.cos(angle)
    scale = shrink / (abs(sx) ** 2.3 + abs(sy) ** 2.3) ** (1 / 2.3)
    x, y = a * sx * scale, b * sy * scale
    normal = np.array([x / a**2, y / b**2, max(0.0, z_mm - CENTRE_Z_MM) / up**2])
    normal /= np.linalg.norm(normal)
    return (x, y, z_mm), (float(normal[0]), float(normal[1]), float(normal[2]))


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
    roof = 9.0 + 6.0 * np.exp(-(((side - 30.0) / 13.0) ** 2)) - 5.0 * np.exp(-((x / 6.0) ** 2))
    centre = np.hypot(x, y - 38.0)
    bowl = -50.0 + 32.0 * (centre / 60.0) ** 2 - 120.0 * ramp(13.0 - centre, 4.0)
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
    thickness += _crests(subject, coarse)
    scalp = subject.scalp_mm * (1.0 + 0.15 * smooth_noise(rng, coarse, 20.0))
    scalp += subject.findings.bruise_mm * _swelling(subject, coarse)
    fine = grid.coarse(2.0)
    floor = fine.xyz[2] - floor_height(fine.xyz) - 1.3 * smooth_noise(rng, fine, 6.0)
    outer, thickness, scalp, floor = (
        expand(f.astype(np.float32), grid.shape) for f in (outer, thickness, scalp, floor)
    )
    inner = outer - thickness
    depth = np.minimum(inner, floor)
    hu = np.full(grid.shape, -1000.0, dtype=np.float32)
    _paint_shell(rng, hu, subject, grid, (outer, thickness, scalp))
    paint_face(rng, hu, subject, grid, (inner, floor))
    paint(hu, subject.csf_hu, ramp(depth))
    x, y, _ = grid.xyz
    return Skull(hu, depth, y - petrous_ridge_y(x))


def _crests(subject: Subject, grid: HeadGrid) -> Field:
    """Extra thickness in mm of the midline: internal occipital protuberance, frontal crest."""
    x, y, z = grid.xyz
    back = 5.0 * ramp(y - 0.8 * subject.half_length_mm, 12.0) * np.exp(-(((z + 4.0) / 16.0) ** 2))
    front = 2.5 * ramp(-0.8 * subject.half_length_mm - y, 12.0) * ramp(50.0 - z, 20.0)
    crest: Field = (back * np.exp(-((x / 9.0) ** 2)) + front * np.exp(-((x / 6.0) ** 2))).astype(
        np.float32
    )
    return crest


def _swelling(subject: Subject, grid: HeadGrid) -> Field:
    """Share 0..1 of a bruise of the scalp, around its azimuth and height."""
    x, y, z = grid.xyz
    angle = np.arctan2(x / subject.half_width_mm, -y / subject.half_length_mm)
    turn = np.angle(np.exp(1j * (angle - np.radians(subject.findings.bruise_deg))))
    share: Field = np.exp(-((turn / 0.45) ** 2) - (((z - subject.findings.bruise_z) / 26.0) ** 2))
    return share.astype(np.float32)


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
    # A galea of muscle and fibres under the fat; a bruise fills what exceeds a normal scalp.
    paint(hu, 30.0, ramp(outer + 0.3 * scalp) * ramp(-outer))
    if subject.findings.bruise_mm > 0.0:
        bruise = ramp(scalp - 1.35 * subject.scalp_mm, 3.0) * ramp(outer + scalp - 2.5)
        paint(hu, subject.findings.bruise_hu, bruise * ramp(-outer))
    _, y, z = grid.xyz
    temple = ramp(55.0 - z, 20.0) * ramp(48.0 - np.abs(y + 15.0), 12.0)
    paint(hu, 50.0, ramp(outer + 0.55 * scalp) * temple)
    # The calvaria ends at the base: higher in front, lower at the back.
    calvaria = ramp(z + 14.0 + 0.3 * y, 4.0)
    paint(hu, subject.bone_hu, ramp(outer) * calvaria)
    table = 1.2 + 0.08 * thickness
    marrow = subject.diploe_hu * (1.0 + 0.15 * smooth_noise(rng, grid, 3.0))
    paint(hu, marrow, ramp(outer - table) * ramp(thickness - table - outer) * calvaria)
