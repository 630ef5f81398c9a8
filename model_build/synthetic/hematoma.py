"""Hematoma: the shape of each kind of hemorrhage; those at the skull are in extra_axial.py.

Each shape is a score in mm (higher = bleeds first) and a weight (where blood can be).
"""

from __future__ import annotations

import math

import numpy as np

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.extra_axial import epidural, falx_strip, subdural, tent_strip
from model_build.synthetic.fields import ramp
from model_build.synthetic.plan import (
    EPIDURAL,
    INTRAPARENCHYMAL,
    INTRAVENTRICULAR,
    SUBARACHNOID,
    Planned,
    Variant,
)
from model_build.synthetic.shape import Shape, ball, noise_in
from model_build.synthetic.skull import vault_point

# Where aneurysmal blood is thickest: basal, Sylvian, anterior interhemispheric, prepontine.
_ANEURYSMS = ((9.0, 0.0, 17.0), (35.0, -8.0, 26.0), (1.0, -42.0, 42.0), (2.0, 8.0, 8.0))
_ANEURYSM_SHARES = (0.4, 0.3, 0.2, 0.1)

# Subarachnoid blood lies in many patches around its source, not in one pool: with these numbers
# its connected pieces have the spread of BHSD's (check_lesions).
_PATCH_MM, _SCATTER_MM, _DISTENSION = 6.0, 28.0, 2.7


def build_shape(rng: np.random.Generator, anatomy: Anatomy, planned: Planned) -> Shape:
    """Score and weight of one planned hemorrhage; an empty box when it lies off the scan."""
    if planned.label == EPIDURAL:
        return epidural(rng, anatomy, planned.volume_ml)
    if planned.label == INTRAPARENCHYMAL:
        return _intraparenchymal(rng, anatomy, planned.volume_ml)
    if planned.label == INTRAVENTRICULAR:
        return _intraventricular(rng, anatomy, planned.variant)
    if planned.label == SUBARACHNOID:
        return _subarachnoid(rng, anatomy, planned.variant)
    if planned.variant is Variant.TENT:
        return tent_strip(rng, anatomy, planned.volume_ml)
    if planned.variant is Variant.STRIP:
        return falx_strip(rng, anatomy, planned.volume_ml)
    return subdural(rng, anatomy, planned.volume_ml)


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
    box = ball(anatomy, centre, 1.9 * radius + 12.0)
    x, y, z = anatomy.grid.part(box)
    reach = np.sqrt(
        sum(
            ((a - c) / r) ** 2
            for a, c, r in zip((x, y, z), centre, (float(v) for v in ratio), strict=True)
        )
    )
    # Bumps grow with the clot; below 3 mm they would only blur its border.
    uneven = noise_in(rng, anatomy, box, max(3.0, 0.5 * radius))
    weight = ramp(anatomy.depth[box] - 2.0) * (1.0 - anatomy.spaces.ventricles[box])
    return Shape(box, (radius * (1.0 + 0.18 * uneven) - reach).astype(np.float32), weight)


def _intraventricular(rng: np.random.Generator, anatomy: Anatomy, variant: Variant) -> Shape:
    """Dependent blood in the ventricles (the patient lies on the back: +y of the scan)."""
    box = anatomy.grid.box((-50.0, -55.0, -20.0), (50.0, 85.0, 80.0))
    side = np.sign(anatomy.grid.xyz[0][box])
    clumps = noise_in(rng, anatomy, box, 6.0)
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
    side = -1.0 if rng.random() < 0.5 else 1.0
    if variant is Variant.CISTERNAL:
        x0, y0, z0 = _ANEURYSMS[int(rng.choice(len(_ANEURYSMS), p=_ANEURYSM_SHARES))]
        focus, squeeze = (side * x0, y0, z0), 0.8
    else:
        azimuth, z0 = float(rng.uniform(10.0, 160.0)), float(rng.uniform(25.0, 85.0))
        point, normal = vault_point(anatomy.subject, side * azimuth, z0)
        focus = (point[0] - 10 * normal[0], point[1] - 10 * normal[1], z0)
        squeeze = 1.0
    box = ball(anatomy, focus, 66.0)
    patches = noise_in(rng, anatomy, box, _PATCH_MM)
    x, y, z = anatomy.grid.part(box)
    reach = np.sqrt(
        (squeeze * (x - focus[0])) ** 2 + (y - focus[1]) ** 2 + (1.3 * (z - focus[2])) ** 2
    )
    # Clot distends the sulcus that it fills, so thin CSF counts more than its own width.
    weight = np.clip(_DISTENSION * anatomy.spaces.csf[box], 0.0, 1.0) * ramp(
        anatomy.depth[box] - 0.3
    )
    return Shape(box, (_SCATTER_MM * patches - reach).astype(np.float32), weight)
