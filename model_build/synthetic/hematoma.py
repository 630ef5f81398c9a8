"""Hematoma: the shape of one hemorrhage as a score field, cut where its volume is reached.

Each shape is a score in mm (higher = bleeds first) and a weight (where blood can be).
Sizes follow the FDA regressions of z-extent and area on volume, checked against the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.brain import tent_height
from model_build.synthetic.fields import ramp, smooth_noise
from model_build.synthetic.geometry import Box, Field
from model_build.synthetic.plan import (
    EPIDURAL,
    INTRAPARENCHYMAL,
    INTRAVENTRICULAR,
    SUBARACHNOID,
    Planned,
    Variant,
)
from model_build.synthetic.skull import CENTRE_Z_MM

_SOFT_MM = 1.3  # clot border, narrower than the slice is thick


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a hemorrhage can lie.

    Attributes:
        box: Index slices of the region.
        score: Order of filling in mm, float32, shape of the box.
        weight: Fraction of each voxel that blood can take, 0..1.
    """

    box: Box
    score: Field
    weight: Field


def build_shape(rng: np.random.Generator, anatomy: Anatomy, planned: Planned) -> Shape:
    """Score and weight of one planned hemorrhage; an empty box when it lies off the scan."""
    if planned.label == EPIDURAL:
        return _epidural(rng, anatomy, planned.volume_ml)
    if planned.label == INTRAPARENCHYMAL:
        return _intraparenchymal(rng, anatomy, planned.volume_ml)
    if planned.label == INTRAVENTRICULAR:
        return _intraventricular(rng, anatomy, planned.variant)
    if planned.label == SUBARACHNOID:
        return _subarachnoid(rng, anatomy, planned.variant)
    if planned.variant is Variant.STRIP:
        return _falx_strip(rng, anatomy, planned.volume_ml)
    return _subdural(rng, anatomy, planned.volume_ml)


def cut_at_volume(shape: Shape, volume_ml: float, voxel_ml: float) -> tuple[Field, float]:
    """Fill a shape from its highest score until `volume_ml` is reached.

    Returns:
        The blood fraction 0..1 in the box of the shape, and the score at its border.
    """
    inside = shape.weight > 0.02
    scores, weights = shape.score[inside], shape.weight[inside]
    if not scores.size:
        return np.zeros_like(shape.score), 0.0
    # A stable order: ties must not depend on the sorting of a platform.
    order = np.argsort(-scores, kind="stable")
    filled = np.cumsum(weights[order], dtype=np.float64) * voxel_ml
    last = min(int(np.searchsorted(filled, volume_ml)), len(order) - 1)
    border = float(scores[order[last]])
    return shape.weight * ramp(shape.score - np.float32(border), _SOFT_MM), border


def _ball(anatomy: Anatomy, centre: tuple[float, float, float], reach_mm: float) -> Box:
    low = (centre[0] - reach_mm, centre[1] - reach_mm, centre[2] - reach_mm)
    high = (centre[0] + reach_mm, centre[1] + reach_mm, centre[2] + reach_mm)
    return anatomy.grid.box(low, high)


def _vault_point(
    anatomy: Anatomy, azimuth_deg: float, z_mm: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Point of the inner table at an azimuth (0 front, 90 left) and its outward normal."""
    subject = anatomy.subject
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


def _epidural(rng: np.random.Generator, anatomy: Anatomy, volume_ml: float) -> Shape:
    """Lens between inner table and dura: the cavity cut by a ball whose centre lies outside."""
    side = -1.0 if rng.random() < 0.5 else 1.0
    temporal = rng.random() < 0.7
    azimuth = rng.uniform(70.0, 115.0) if temporal else rng.choice([35.0, 140.0, 160.0])
    z0 = rng.uniform(18.0, 55.0) if temporal else rng.uniform(30.0, 75.0)
    point, normal = _vault_point(anatomy, side * float(azimuth), float(z0))
    z_mm = max(8.0, 10.23 * math.log(volume_ml) + 19.09)
    area = 1.5 * volume_ml * 1000.0 / z_mm
    chord = min(math.sqrt(4.0 * area), 95.0)
    height = 1.5 * area / chord
    radius = (chord**2 / 4 + height**2) / (2 * height)
    centre = [p + n * (radius - height) for p, n in zip(point, normal, strict=True)]
    box = _ball(anatomy, point, 0.75 * chord + 12.0)
    x, y, z = anatomy.grid.part(box)
    reach = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
    # The dura holds at the sutures, so an epidural stays on its side and above the tentorium.
    weight = ramp(anatomy.depth[box]) * ramp(side * x, 2.0) * (1 - anatomy.spaces.below_tent[box])
    return Shape(box, (radius - reach).astype(np.float32), weight)


def _subdural(rng: np.random.Generator, anatomy: Anatomy, volume_ml: float) -> Shape:
    """Crescent along the inner table, thin at the ends; crosses sutures, not the midline."""
    side = -1.0 if rng.random() < 0.5 else 1.0
    azimuth, z0 = rng.uniform(60.0, 120.0), rng.uniform(40.0, 75.0)
    z_mm = max(14.0, 10.38 * math.log(volume_ml) + 24.48) * 1.25
    chord = min(1.3 * math.sqrt(11.0 * 1.5 * volume_ml * 1000.0 / z_mm), 175.0)
    box = anatomy.grid.box((-90.0, -105.0, z0 - z_mm / 2), (90.0, 105.0, z0 + z_mm / 2))
    x, y, z = anatomy.grid.part(box)
    subject = anatomy.subject
    # Angles on the scaled ellipse grow evenly along the vault, unlike plain ones.
    around = np.degrees(np.arctan2(side * x / subject.half_width_mm, -y / subject.half_length_mm))
    arc = np.radians(around - azimuth) * 0.5 * (subject.half_width_mm + subject.half_length_mm)
    across, along = arc / (chord / 2), (z - z0) / (z_mm / 2)
    profile = np.maximum(1.0 - across**2 - along**2, 0.0) ** 0.5
    depth = anatomy.depth[box]
    weight = ramp(depth) * ramp(side * x - 1.0) * (profile > 0.15)
    weight *= 1.0 - anatomy.spaces.below_tent[box]
    score = -np.maximum(depth, 0.0) / np.maximum(profile, 0.15)
    return Shape(box, score.astype(np.float32), weight.astype(np.float32))


def _falx_strip(rng: np.random.Generator, anatomy: Anatomy, volume_ml: float) -> Shape:
    """Interhemispheric subdural: a sheet on one side of the falx."""
    side = -1.0 if rng.random() < 0.5 else 1.0
    front = rng.random() < 0.4
    y0 = float(rng.uniform(-70.0, -50.0) if front else rng.uniform(45.0, 65.0))
    z0, length = float(rng.uniform(45.0, 85.0)), 14.0 + 9.0 * volume_ml ** (1 / 2)
    box = anatomy.grid.box((-20.0, y0 - length, z0 - length), (20.0, y0 + length, z0 + length))
    x, y, z = anatomy.grid.part(box)
    profile = np.maximum(1 - ((y - y0) / length) ** 2 - ((z - z0) / length) ** 2, 0.0) ** 0.5
    outside = np.hypot((y + 1.0) / 50.0, (z - 42.0) / 30.0) > 1.0
    weight = ramp(anatomy.depth[box]) * ramp(side * x) * (profile > 0.15) * outside
    weight *= z > np.where(y > 0.0, tent_height((x, y, z)), 14.0)
    score = -np.abs(x) / np.maximum(profile, 0.15)
    return Shape(box, score.astype(np.float32), weight.astype(np.float32))


def _parenchymal_centre(rng: np.random.Generator) -> tuple[float, float, float]:
    """Deep 50 %, lobar 28 %, contusions 10 %, cerebellum 8 %, pons 4 %."""
    side = -1.0 if rng.random() < 0.5 else 1.0
    place = int(rng.choice(5, p=[0.5, 0.28, 0.1, 0.08, 0.04]))
    jitter = rng.normal(0.0, 1.0, size=3)
    centre, spread = (
        ((26.0, -2.0, 45.0), 5.0),
        ((36.0, float(rng.uniform(-45.0, 60.0)), 62.0), 8.0),
        ((float(rng.choice([18.0, 46.0])), float(rng.choice([-62.0, -22.0])), 16.0), 4.0),
        ((24.0, 50.0, -6.0), 6.0),
        ((1.0, 21.0, 5.0), 2.0),
    )[place]
    moved = [c + spread * float(j) for c, j in zip(centre, jitter, strict=True)]
    return (side * moved[0], moved[1], moved[2])


def _intraparenchymal(rng: np.random.Generator, anatomy: Anatomy, volume_ml: float) -> Shape:
    """Ellipsoid with an uneven border, kept inside brain."""
    centre = _parenchymal_centre(rng)
    radius = (volume_ml * 1000.0 * 3 / (4 * math.pi)) ** (1 / 3)
    ratio = rng.uniform(0.75, 1.3, size=3)
    ratio /= float(np.prod(ratio)) ** (1 / 3)
    box = _ball(anatomy, centre, 1.9 * radius + 12.0)
    x, y, z = anatomy.grid.part(box)
    reach = np.sqrt(
        sum(
            ((a - c) / r) ** 2
            for a, c, r in zip((x, y, z), centre, (float(v) for v in ratio), strict=True)
        )
    )
    # Bumps grow with the clot; below 3 mm they would only blur its border.
    uneven = smooth_noise(rng, anatomy.grid, max(3.0, 0.5 * radius))[box]
    weight = ramp(anatomy.depth[box] - 2.0) * (1.0 - anatomy.spaces.ventricles[box])
    return Shape(box, (radius * (1.0 + 0.18 * uneven) - reach).astype(np.float32), weight)


def _intraventricular(rng: np.random.Generator, anatomy: Anatomy, variant: Variant) -> Shape:
    """Dependent blood in the ventricles (the patient lies on the back: +y of the scan)."""
    box = anatomy.grid.box((-50.0, -55.0, -20.0), (50.0, 85.0, 80.0))
    side = np.sign(anatomy.grid.xyz[0][box])
    clumps = smooth_noise(rng, anatomy.grid, 6.0)[box]
    lean = float(rng.normal(0.0, 0.5))
    plumb = np.broadcast_to(anatomy.grid.axes[1][None, :, None], anatomy.grid.shape)[box]
    if variant is Variant.LEVEL:
        score = plumb + 0.6 * clumps + lean * side * 8.0
    elif variant is Variant.CAST:
        score = 10.0 * clumps + 25.0 * math.copysign(1.0, lean) * side
    else:
        score = 0.5 * plumb + 11.0 * clumps + 10.0 * lean * side
    return Shape(box, score.astype(np.float32), anatomy.spaces.ventricles[box])


def _subarachnoid(rng: np.random.Generator, anatomy: Anatomy, variant: Variant) -> Shape:
    """Blood in CSF: around a focus on the convexity, or spreading from the basal cisterns."""
    patches = smooth_noise(rng, anatomy.grid, 7.0)
    side = -1.0 if rng.random() < 0.5 else 1.0
    if variant is Variant.CISTERNAL:
        focus, squeeze = (side * float(rng.uniform(0.0, 18.0)), 0.0, 17.0), 0.8
    else:
        azimuth, z0 = float(rng.uniform(10.0, 160.0)), float(rng.uniform(25.0, 85.0))
        point, normal = _vault_point(anatomy, side * azimuth, z0)
        focus = (point[0] - 10 * normal[0], point[1] - 10 * normal[1], z0)
        squeeze = 1.0
    box = _ball(anatomy, focus, 62.0)
    x, y, z = anatomy.grid.part(box)
    reach = np.sqrt(
        (squeeze * (x - focus[0])) ** 2 + (y - focus[1]) ** 2 + (1.3 * (z - focus[2])) ** 2
    )
    # Clot distends the sulcus that it fills, so thin CSF counts more than its own width.
    weight = np.clip(1.8 * anatomy.spaces.csf[box], 0.0, 1.0) * ramp(anatomy.depth[box] - 0.3)
    return Shape(box, (6.0 * patches[box] - reach).astype(np.float32), weight)
