"""Extra-axial: shapes of blood between skull and brain: epidural lens, subdural sheets.

Sizes follow the FDA regressions of z-extent and area on volume (spec section 6).
"""

from __future__ import annotations

import math

import numpy as np

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.fields import ramp
from model_build.synthetic.shape import Shape, ball
from model_build.synthetic.skull import vault_point
from model_build.synthetic.spaces import tent_height

# Azimuth in degrees (0 front, 90 left) and height in mm: temporal, frontal, parietal, cerebellar.
_EPIDURAL_PLACES = (
    (70.0, 115.0, 18.0, 55.0),
    (20.0, 50.0, 28.0, 65.0),
    (130.0, 165.0, 45.0, 85.0),
    (135.0, 165.0, -14.0, 2.0),
)
_POSTERIOR_FOSSA = 3


def epidural(rng: np.random.Generator, anatomy: Anatomy, volume_ml: float) -> Shape:
    """Lens between inner table and dura: the cavity cut by a ball whose centre lies outside."""
    side = -1.0 if rng.random() < 0.5 else 1.0
    place = int(rng.choice(4, p=[0.68, 0.14, 0.10, 0.08]))
    first, last, low, high = _EPIDURAL_PLACES[place]
    azimuth, z0 = rng.uniform(first, last), rng.uniform(low, high)
    point, normal = vault_point(anatomy.subject, side * float(azimuth), float(z0))
    z_mm = max(8.0, 10.23 * math.log(volume_ml) + 19.09)
    area = 1.5 * volume_ml * 1000.0 / z_mm
    chord = min(math.sqrt(4.0 * area), 95.0)
    height = 1.5 * area / chord
    radius = (chord**2 / 4 + height**2) / (2 * height)
    centre = [p + n * (radius - height) for p, n in zip(point, normal, strict=True)]
    box = ball(anatomy, point, 0.75 * chord + 12.0)
    x, y, z = anatomy.grid.part(box)
    reach = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
    # The dura holds at the sutures, so an epidural stays on its side and of the tentorium.
    below = anatomy.spaces.below_tent[box]
    weight = ramp(anatomy.depth[box]) * ramp(side * x, 2.0)
    weight *= below if place == _POSTERIOR_FOSSA else 1.0 - below
    return Shape(box, (radius - reach).astype(np.float32), weight)


def subdural(rng: np.random.Generator, anatomy: Anatomy, volume_ml: float) -> Shape:
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


def falx_strip(rng: np.random.Generator, anatomy: Anatomy, volume_ml: float) -> Shape:
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


def tent_strip(rng: np.random.Generator, anatomy: Anatomy, volume_ml: float) -> Shape:
    """Subdural on the tentorium: a sheet on the upper side of one leaf."""
    side = -1.0 if rng.random() < 0.5 else 1.0
    x0, y0 = float(rng.uniform(22.0, 42.0)), float(rng.uniform(28.0, 60.0))
    length = 14.0 + 8.0 * volume_ml ** (1 / 2)
    box = anatomy.grid.box((-80.0, -10.0, -5.0), (80.0, 100.0, 55.0))
    x, y, z = anatomy.grid.part(box)
    above = 0.88 * (z - tent_height((x, y, z)))
    reach = ((side * x - x0) / length) ** 2 + ((y - y0) / (1.2 * length)) ** 2
    profile = np.maximum(1.0 - reach, 0.0) ** 0.5
    weight = ramp(anatomy.depth[box]) * ramp(above + 0.5) * ramp(side * x - 1.0)
    notch = np.sqrt((x / 17.0) ** 2 + ((y - 18.0) / 24.0) ** 2)
    weight *= (profile > 0.15) * ramp(17.0 * notch - 18.0, 2.0)
    score = -np.abs(above) / np.maximum(profile, 0.15)
    return Shape(box, score.astype(np.float32), weight.astype(np.float32))
