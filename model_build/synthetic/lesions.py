"""Lesions: paint planned hemorrhages into a head and keep the exact blood fractions.

plan ─> midline shift ─> edema ─> blood with texture = Bled
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.benign import break_bone
from model_build.synthetic.fields import paint, ramp, smooth_noise
from model_build.synthetic.geometry import Box, Field
from model_build.synthetic.hematoma import build_shape
from model_build.synthetic.plan import (
    EPIDURAL,
    INTRAPARENCHYMAL,
    INTRAVENTRICULAR,
    SUBARACHNOID,
    SUBDURAL,
    Planned,
    Variant,
)
from model_build.synthetic.shape import Shape, cut_at_volume, without_specks

_SHIFT_FROM_ML = 20.0  # smaller bleeds find room in the sulci
_PUSH_FROM_ML = 5.0  # thinner extra-axial films do not dent the cortex
_FRACTURED = 0.75
_SPECK_ML = 0.08  # stray subarachnoid voxels at the border of a patch
_LABEL_COUNT = 5


@dataclass(frozen=True, slots=True)
class Bled:
    """A head with its hemorrhages.

    Attributes:
        hu: (Z, Y, X) float32 HU without noise.
        blood: Label index -> (Z, Y, X) float32 blood fraction, only labels present.
        volumes_ml: Volume reached per label, mL.
        shift_mm: Signed midline shift.
        displaced: Whether masses moved the content of the cavity, at the midline or at the vault.
    """

    hu: Field
    blood: dict[int, Field]
    volumes_ml: tuple[float, ...]
    shift_mm: float
    displaced: bool = False


@dataclass(frozen=True, slots=True)
class _Clot:
    planned: Planned
    box: Box
    blood: Field
    halo: Field | None


def bleed(rng: np.random.Generator, anatomy: Anatomy, plan: tuple[Planned, ...]) -> Bled:
    """Build every planned hemorrhage; the anatomy itself is left untouched."""
    still = anatomy
    anatomy, shift_mm, rest, clots = _shift_by_masses(rng, still, plan)
    for planned in rest:
        clots.append(_clot(rng, anatomy, planned))
    if not clots:
        return Bled(anatomy.hu, {}, (0.0,) * _LABEL_COUNT, 0.0)
    hu = anatomy.hu.copy()
    # One texture for all clots of a head, so that touching clots show no seam.
    texture = 3.0 * smooth_noise(rng, anatomy.grid, 2.5)
    blood: dict[int, Field] = {}
    for clot in clots:
        if clot.planned.label == EPIDURAL:
            _fracture(rng, hu, anatomy, clot)
        if clot.halo is not None:
            paint(hu[clot.box], float(rng.uniform(18.0, 24.0)), clot.halo)
    for clot in clots:
        paint(hu[clot.box], _density(clot, anatomy, texture[clot.box]), clot.blood)
        for other in blood.values():  # a voxel holds blood once: the later clot pushes in
            other[clot.box] *= 1.0 - clot.blood
        field = blood.setdefault(clot.planned.label, np.zeros_like(hu))
        np.maximum(field[clot.box], clot.blood, out=field[clot.box])
    volumes = tuple(
        float(blood[k].sum(dtype=np.float64)) * anatomy.grid.voxel_ml if k in blood else 0.0
        for k in range(_LABEL_COUNT)
    )
    return Bled(hu, blood, volumes, shift_mm, anatomy is not still)


def _shift_by_masses(
    rng: np.random.Generator, anatomy: Anatomy, plan: tuple[Planned, ...]
) -> tuple[Anatomy, float, list[Planned], list[_Clot]]:
    """Build the space-occupying clots first and push the brain away from them.

    Blood inside CSF spaces follows the pushed brain, so it is left for later.
    """
    masses = [p for p in plan if p.label not in (INTRAVENTRICULAR, SUBARACHNOID)]
    rest = [p for p in plan if p not in masses]
    clots = [_clot(rng, anatomy, planned) for planned in masses]
    # Young tight brains shift at once, atrophied ones take the volume in.
    share = float(rng.uniform(0.4, 1.0))
    pushes = []
    for clot in clots:
        volume = float(clot.blood.sum(dtype=np.float64)) * anatomy.grid.voxel_ml
        if volume > _SHIFT_FROM_ML:
            x, y, z = (
                float((a * clot.blood).sum() / clot.blood.sum())
                for a in anatomy.grid.part(clot.box)
            )
            size = share * min(10.0, (volume - _SHIFT_FROM_ML) / 5.0)
            pushes.append((-np.sign(x) * size, y, z))
    thickness = _extra_axial_mm(anatomy, clots)
    if not pushes and thickness is None:
        return anatomy, 0.0, rest, clots
    total = float(sum(size for size, _, _ in pushes))
    y0, z0 = (float(np.mean([p[k] for p in pushes or [(0.0, 0.0, 45.0)]])) for k in (1, 2))
    return _push(anatomy, total, (y0, z0), thickness), total, rest, clots


def _extra_axial_mm(anatomy: Anatomy, clots: list[_Clot]) -> Field | None:
    """Thickness in mm, along x, of blood against the vault: (Z, Y, 2), right and left; or None."""
    z, y, _ = anatomy.grid.shape
    total = np.zeros((z, y, 2), dtype=np.float32)
    for clot in clots:
        volume = float(clot.blood.sum(dtype=np.float64)) * anatomy.grid.voxel_ml
        sheet = clot.planned.variant in (Variant.STRIP, Variant.TENT)
        if clot.planned.label == INTRAPARENCHYMAL or sheet or volume < _PUSH_FROM_ML:
            continue
        x = anatomy.grid.part(clot.box)[0]
        # At the forehead a sheet of blood is long in x without being thick.
        facing = clot.blood * np.clip(np.abs(x) / 70.0, 0.0, 1.0)
        for k, side in enumerate((x < 0, x > 0)):
            total[clot.box[0], clot.box[1], k] += (facing * side).sum(axis=2)
    if not total.any():
        return None
    total *= anatomy.grid.voxel_mm[2]
    smooth: Field = ndimage.gaussian_filter(np.minimum(total, 14.0), (2.0, 4.0, 0.0))
    return smooth


def _push(
    anatomy: Anatomy, shift_mm: float, centre: tuple[float, float], thickness: Field | None
) -> Anatomy:
    """Move the content of the cavity sideways: at a clot by its thickness, at the midline less."""
    x, y, z = anatomy.grid.xyz
    move = shift_mm * np.exp(-(((y - centre[0]) / 50.0) ** 2) - ((z - centre[1]) / 32.0) ** 2)
    move *= np.clip(anatomy.depth / 40.0, 0.0, 1.0)
    if thickness is not None:
        # Sulci under the clot close first: the push fades within some centimetres.
        fade = np.clip(1.0 - anatomy.depth / 45.0, 0.0, 1.0) ** 2
        move += fade * np.where(x < 0, thickness[:, :, :1], -thickness[:, :, 1:])
    limit = 0.8 * np.maximum(anatomy.depth - 1.0, 0.0)  # no bone is drawn inwards
    move = np.clip(move, -limit, limit)
    width = anatomy.grid.shape[2]
    place = np.arange(width, dtype=np.float32) - move / anatomy.grid.voxel_mm[2]
    lower = np.clip(place.astype(np.int32), 0, width - 2)
    share = np.clip(place - lower, 0.0, 1.0).astype(np.float32)

    def moved(field: Field) -> Field:
        near = np.take_along_axis(field, lower, axis=2)
        return near + share * (np.take_along_axis(field, lower + 1, axis=2) - near)

    spaces = replace(
        anatomy.spaces,
        csf=moved(anatomy.spaces.csf),
        ventricles=moved(anatomy.spaces.ventricles),
    )
    return replace(anatomy, hu=moved(anatomy.hu), spaces=spaces)


def _clot(rng: np.random.Generator, anatomy: Anatomy, planned: Planned) -> _Clot:
    shape = build_shape(rng, anatomy, planned)
    blood, border = cut_at_volume(shape, planned.volume_ml, anatomy.grid.voxel_ml)
    if planned.label == SUBARACHNOID:
        blood = without_specks(blood, _SPECK_ML, anatomy.grid.voxel_ml)
    halo = None
    width = float(rng.uniform(2.0, 8.0)) * min(1.0, 0.4 + planned.volume_ml / 15.0)
    if planned.label == INTRAPARENCHYMAL and planned.variant is Variant.EDEMA:
        halo = _edema(shape, border, width)
    return _Clot(planned, shape.box, blood, halo)


def _fracture(rng: np.random.Generator, hu: Field, anatomy: Anatomy, clot: _Clot) -> None:
    """Break the bone over an epidural in three of four cases."""
    luck, turn = float(rng.random()), float(rng.uniform(0.0, math.pi))
    total = float(clot.blood.sum())
    if luck > _FRACTURED or not total:
        return
    x, y, z = (float((a * clot.blood).sum()) / total for a in anatomy.grid.part(clot.box))
    subject = anatomy.subject
    azimuth = math.degrees(math.atan2(x / subject.half_width_mm, -y / subject.half_length_mm))
    break_bone(hu, subject, anatomy.grid, (azimuth, z), turn)


def _edema(shape: Shape, border: float, width_mm: float) -> Field:
    """Hypodense ring around a clot, fading outwards."""
    return 0.85 * shape.weight * ramp(shape.score - np.float32(border - width_mm), 3.0)


def _density(clot: _Clot, anatomy: Anatomy, texture: Field) -> Field:
    """HU of blood in the box: core, texture, swirl islands or a dependent level."""
    core = clot.planned.core_hu + texture
    if clot.planned.variant in (Variant.SWIRL, Variant.MIXED):
        limit = 3.3 if clot.planned.variant is Variant.SWIRL else 1.2
        core = np.where(texture > limit, 35.0, core)
    elif clot.planned.variant is Variant.LEVEL and clot.planned.label != INTRAVENTRICULAR:
        # Cells sink: the posterior half of an old subdural is dense, the upper part is serum.
        plumb = np.broadcast_to(anatomy.grid.axes[1][None, :, None], anatomy.grid.shape)[clot.box]
        filled = plumb[clot.blood > 0.5]
        middle = float(np.median(filled)) if filled.size else 0.0
        serum, cells = (20.0, 55.0) if clot.planned.label == SUBDURAL else (36.0, 62.0)
        core = serum + (cells - serum) * ramp(plumb - np.float32(middle), 6.0) + texture
    return core.astype(np.float32)
