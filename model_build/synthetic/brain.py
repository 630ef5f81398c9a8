"""Brain: cortex, white matter, deep grey nuclei, CSF spaces, membranes and veins.

depth below the inner table ─> sulci and cortex ─> cisterns ─> ventricles ─> falx, tentorium, veins
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from model_build.synthetic.fields import capsule, ellipsoid, expand, paint, ramp, smooth_noise
from model_build.synthetic.geometry import Field, HeadGrid
from model_build.synthetic.skull import Skull
from model_build.synthetic.subject import Subject


@dataclass(frozen=True, slots=True)
class Spaces:
    """Fractions 0..1 per sample, (Z, Y, X) float32.

    Attributes:
        csf: Subarachnoid CSF: sulci, cisterns, fissures.
        ventricles: Lateral, third and fourth ventricles.
        below_tent: 1 below the tentorium.
    """

    csf: Field
    ventricles: Field
    below_tent: Field


def tent_height(xyz: tuple[Field, Field, Field]) -> Field:
    """Height of the tentorium in mm: highest at the notch, falling to the transverse sinuses."""
    x, y, _ = xyz
    height: Field = 36.0 - 0.30 * np.abs(x) - 0.42 * np.maximum(y - 22.0, 0.0)
    return height


def build_brain(rng: np.random.Generator, subject: Subject, grid: HeadGrid, skull: Skull) -> Spaces:
    """Paint the content of the cavity into `skull.hu` and return its CSF spaces."""
    hu, depth = skull.hu, skull.depth
    above = grid.xyz[2] - tent_height(grid.xyz)
    below_tent = ramp(-above, 2.0) * ramp(skull.ridge, 2.0)
    inside = ramp(depth - np.float32(subject.gap_mm))
    sulci = _paint_cortex(rng, hu, subject, grid, (depth, inside, below_tent))
    _paint_nuclei(rng, hu, subject, grid)
    _paint_stem(hu, subject, grid, depth)
    cisterns = _cisterns(rng, subject, grid, depth)
    csf = np.maximum(np.maximum(sulci, cisterns), 1.0 - inside) * ramp(depth)
    ventricles = _ventricles(rng, subject, grid) * ramp(depth - 4.0)
    paint(hu, subject.csf_hu, np.maximum(cisterns, ventricles) * ramp(depth))
    _paint_membranes(hu, subject, grid, skull, above)
    csf *= 1.0 - ventricles
    return Spaces(csf, ventricles, below_tent)


def _paint_cortex(
    rng: np.random.Generator,
    hu: Field,
    subject: Subject,
    grid: HeadGrid,
    parts: tuple[Field, Field, Field],
) -> Field:
    """White matter, cortical ribbon and sulci from a two-octave noise field; returns sulci."""
    depth, inside, below_tent = parts
    # Level sets of a smooth field near zero are thin, winding and never cross: like sulci.
    folds = smooth_noise(rng, grid, 5.5) + 0.45 * smooth_noise(rng, grid, 3.0)
    folia = smooth_noise(rng, grid, 1.9)
    fold = np.abs(folds)
    deep = depth - np.float32(subject.gap_mm)
    width = (0.11 + 0.17 * subject.atrophy) * np.clip(1.25 - deep / 20.0, 0.0, 1.0)
    sulci = ramp(width - fold, 0.3) * ramp(width, 0.05) * (1.0 - below_tent)
    ribbon = np.maximum(
        ramp(3.2 - deep), ramp(width + 0.45 * np.clip(1.0 - deep / 26.0, 0.0, 1.0) - fold, 0.3)
    )
    # Cortex ends where sulci end; deeper noise ridges would be bands of grey in white matter.
    ribbon = np.where(deep > 26.0, 0.0, ribbon)
    mild = 1.0 * smooth_noise(rng, grid, 9.0)
    paint(hu, subject.white_hu + 0.6 * mild, inside)
    paint(hu, subject.grey_hu + 0.6 * mild, inside * ribbon)
    vermis = 0.5 + 0.5 * np.clip(folia, -1.0, 1.0)
    # Folia are finer than the pixels, so the cerebellum is a texture between grey and white.
    cerebellum = subject.white_hu + (subject.grey_hu - subject.white_hu) * (0.35 + 0.6 * vermis)
    paint(hu, cerebellum.astype(np.float32), inside * below_tent)
    folia_csf = ramp(0.06 + 0.16 * subject.atrophy - np.abs(folia), 0.5) * below_tent * 0.6
    folia_csf *= ramp(14.0 - deep, 6.0)
    sulci = np.maximum(sulci, folia_csf)
    paint(hu, subject.csf_hu, inside * sulci)
    inner_sulci: Field = sulci * inside
    return inner_sulci


def _paint_nuclei(rng: np.random.Generator, hu: Field, subject: Subject, grid: HeadGrid) -> None:
    """Caudate heads, lentiform nuclei and thalami; the gaps between are the internal capsule."""
    box = grid.box((-45.0, -45.0, 15.0), (45.0, 50.0, 75.0))
    bend = 2.2 * smooth_noise(rng, grid, 8.0)[box]
    x, y, z = grid.part(box)
    part, mirrored = hu[box], (np.abs(x) + bend, y - bend, z)
    deep = subject.grey_hu + 1.0
    paint(
        part,
        subject.white_hu,
        0.9 * ramp(ellipsoid(mirrored, (18.0, 0.0, 46.0), (22.0, 40.0, 24.0)), 5.0),
    )
    paint(part, deep, ramp(ellipsoid(mirrored, (12.0, -24.0, 44.0), (6.0, 11.0, 13.0)), 2.0))
    paint(part, deep, ramp(ellipsoid(mirrored, (24.0, -7.0, 42.0), (8.0, 17.0, 12.0)), 2.0))
    paint(part, deep, ramp(ellipsoid(mirrored, (10.0, 15.0, 44.0), (8.5, 14.0, 10.0)), 2.0))


def _paint_stem(hu: Field, subject: Subject, grid: HeadGrid, depth: Field) -> None:
    """Midbrain, pons and medulla, a little below grey matter in HU."""
    box = grid.box((-30.0, -5.0, -80.0), (30.0, 60.0, 45.0))
    xyz = grid.part(box)
    tone = 0.5 * (subject.grey_hu + subject.white_hu)
    for start, end, radii in (
        ((0.0, 16.0, 36.0), (0.0, 22.0, 16.0), (12.0, 13.0)),
        ((0.0, 20.0, 14.0), (0.0, 22.0, -4.0), (14.5, 13.0)),
        ((0.0, 25.0, -6.0), (0.0, 38.0, -60.0), (9.0, 6.5)),
    ):
        paint(hu[box], tone, ramp(capsule(xyz, start, end, radii), 1.5) * ramp(depth[box]))


def _cisterns(rng: np.random.Generator, subject: Subject, grid: HeadGrid, depth: Field) -> Field:
    """Basal cisterns, Sylvian fissures and the interhemispheric fissure: CSF fractions."""
    # Cisterns are smooth at 1.5 mm; a third of the samples saves most of the time.
    fine = grid.coarse(1.5)
    x, y, z = fine.xyz
    side, wide = np.abs(x), 1.0 + 0.9 * subject.atrophy
    wavy = smooth_noise(rng, fine, 5.0)
    angle = np.arctan2(x, y - 4.0)
    star = 9.0 + 4.0 * np.cos(5.0 * angle) * wide**0.5 - np.hypot(x, y - 4.0)
    found = np.minimum(star + 0.8 * wavy, 8.0 - np.abs(z - 17.0))
    midbrain = np.hypot(side * 0.95, y - 18.0)
    ring = np.minimum(
        wide * (0.7 + 0.8 * wavy) - np.abs(midbrain - 15.0 - 1.4 * wavy), 9.0 - np.abs(z - 27.0)
    )
    notch = ellipsoid((x, y, z), (0.0, 36.0, 30.0), (9.0, 5.0 * wide, 8.0))
    pontine = np.minimum(2.2 - np.abs(y - 5.0), np.minimum(11.0 - side, 16.0 - np.abs(z + 2.0)))
    magna = ellipsoid((x, y, z), (0.0, 62.0, -34.0), (12.0, 8.0 * wide, 12.0))
    angles = np.minimum(
        1.5 * wide - np.abs(y - 8.0 - 0.4 * side), np.minimum(24.0 - side, 6.0 - np.abs(z - 2.0))
    )
    lateral = y + 16.0 - 0.7 * (z - 22.0) + 3.0 * wavy
    sylvian = np.minimum(
        1.4 * wide - np.abs(lateral), np.minimum(side - 30.0, 19.0 - np.abs(z - 33.0))
    )
    insula = np.minimum(
        1.1 * wide - np.abs(side - 38.0 - 2.0 * wavy),
        np.minimum(19.0 - np.abs(y + 2.0), 12.0 - np.abs(z - 37.0)),
    )
    # The falx ends above the corpus callosum: an ellipse around the deep grey and ventricles.
    outside = np.hypot((y + 1.0) / 50.0, (z - 42.0) / 30.0) - 1.0
    cleft = np.minimum((0.9 + 1.3 * subject.atrophy) * (1.0 + 0.5 * wavy) - side, 30.0 * outside)
    cleft = np.minimum(cleft, z - np.where(y > 0.0, tent_height((x, y, z)), 14.0))
    for more in (ring, notch, pontine, magna, angles, sylvian, insula, cleft):
        found = np.maximum(found, more)
    return ramp(expand(found.astype(np.float32), grid.shape), 1.2)


def _ventricles(rng: np.random.Generator, subject: Subject, grid: HeadGrid) -> Field:
    """Ventricles as tapering tubes; larger with atrophy, slightly unequal sides."""
    result = np.zeros(grid.shape, dtype=np.float32)
    box = grid.box((-48.0, -50.0, -20.0), (48.0, 85.0, 80.0))
    if result[box].size == 0:
        return result
    x, y, z = grid.part(box)
    grow = subject.ventricle * (1.0 + 0.9 * subject.atrophy) ** 0.5
    side = np.abs(x) + 0.4 * np.where(x > 0, subject.asymmetry, -subject.asymmetry) * 6.0
    mirrored = (side.astype(np.float32), y, z)
    arc = (
        ((9.0, -38.0, 44.0), 2.2), ((8.0, -26.0, 50.0), 4.6), ((8.0, -8.0, 57.0), 4.6),
        ((11.0, 12.0, 60.0), 4.8), ((18.0, 32.0, 55.0), 5.6), ((24.0, 42.0, 45.0), 6.4),
    )  # fmt: skip
    horns = (
        (arc[5], ((22.0, 64.0, 41.0), 2.6)),
        (arc[5], ((31.0, 26.0, 24.0), 3.0)),
        (((31.0, 26.0, 24.0), 3.0), ((30.0, 2.0, 16.0), 2.0)),
    )
    shape = np.full(x.shape, -50.0, dtype=np.float32)
    for (start, r0), (end, r1) in (*pairwise(arc), *horns):
        np.maximum(shape, capsule(mirrored, start, end, (r0 * grow, r1 * grow)), out=shape)
    slit = 0.9 + 1.8 * subject.atrophy
    third = np.minimum(
        slit * grow - np.abs(x), ellipsoid((x, y, z), (0.0, 6.0, 36.0), (30.0, 18.0, 13.0))
    )
    np.maximum(shape, third, out=shape)
    fourth = ellipsoid((x, y, z), (0.0, 37.0, 2.0), (7.0 * grow, 4.5 * grow, 10.0))
    np.maximum(shape, fourth, out=shape)
    bumps = smooth_noise(rng, grid.coarse(2.5), 5.0)
    shape += 0.7 * expand(bumps, grid.shape)[box]
    # The septum pellucidum and third ventricle keep the sides apart where tubes would merge.
    septum = ramp(np.abs(x) - 0.9) + (z < 46.0)
    result[box] = ramp(shape, 1.4) * np.minimum(septum, 1.0)
    return result


def _paint_membranes(
    hu: Field, subject: Subject, grid: HeadGrid, skull: Skull, above: Field
) -> None:
    """Falx, tentorium and dural sinuses: bright lines and dots that are no hemorrhage."""
    x, y, z = grid.xyz
    depth = skull.depth
    inner = ramp(depth)
    outside = np.hypot((y + 1.0) / 52.0, (z - 42.0) / 32.0) - 1.0
    reach = ramp(30.0 * outside, 2.0) * ramp(np.where(y > 10.0, above, z - 16.0), 2.0)
    paint(hu, subject.falx_hu, ramp(0.45 - np.abs(x)) * reach * inner)
    tent = ramp(0.6 - np.abs(above) * 0.88, 1.2) * ramp(skull.ridge, 3.0)
    tent *= ramp(np.hypot(x / 17.0, (y - 18.0) / 24.0) * 17.0 - 17.0, 1.5)
    paint(hu, subject.falx_hu, 0.8 * tent * inner)
    # Superior sagittal sinus and, where the tentorium meets the vault, the transverse sinuses.
    sagittal = np.minimum(5.5 - depth - 1.1 * np.abs(x), z - 8.0)
    transverse = np.minimum(4.6 - depth, 4.0 - np.abs(above)) - np.where(y > 25.0, 0.0, 20.0)
    straight = 2.2 - np.hypot(x, above - 1.0) - 30.0 * ramp(34.0 - y, 2.0)
    veins = np.maximum(np.maximum(sagittal, transverse), straight)
    paint(hu, subject.sinus_hu, ramp(veins, 1.5) * inner * (z > -12.0))
