"""Brain: cortex, white matter, deep grey nuclei and stem around the spaces of spaces.py.

depth below the inner table ─> sulci and cortex ─> nuclei, stem ─> cisterns, ventricles ─> dura
"""

from __future__ import annotations

import numpy as np

from model_build.synthetic.dura import paint_dura
from model_build.synthetic.fields import (
    capsule,
    ellipsoid,
    paint,
    ramp,
    shell_noise,
    smooth_noise,
)
from model_build.synthetic.geometry import Field, HeadGrid
from model_build.synthetic.skull import Skull
from model_build.synthetic.spaces import (
    Spaces,
    cisterns,
    outside_callosum,
    tent_height,
    ventricles,
)
from model_build.synthetic.subject import Subject

_RIBBON_MM = 2.8  # cortical thickness
_STEEPNESS = 0.29  # mean slope of the fold field at its zero crossings, per mm


def build_brain(rng: np.random.Generator, subject: Subject, grid: HeadGrid, skull: Skull) -> Spaces:
    """Paint the content of the cavity into `skull.hu` and return its CSF spaces."""
    hu, depth = skull.hu, skull.depth
    above = grid.xyz[2] - tent_height(grid.xyz)
    below_tent = ramp(-above, 2.0) * ramp(skull.ridge, 2.0)
    inside = ramp(depth - np.float32(subject.gap_mm))
    found, sylvian = cisterns(rng, subject, grid)
    deep = _cortical_depth(subject, grid, depth, sylvian)
    sulci = _paint_cerebrum(rng, hu, subject, grid, (deep, inside, below_tent))
    folia = _paint_cerebellum(rng, hu, subject, grid, (depth, inside, below_tent))
    _paint_nuclei(rng, hu, subject, grid)
    _paint_stem(hu, subject, grid, depth)
    np.maximum(sulci, folia, out=sulci)
    open_csf = ramp(found, 1.2)
    chambers = ventricles(rng, subject, grid) * ramp(depth - 4.0)
    filled = ramp(depth)
    paint(hu, subject.csf_hu, np.maximum(open_csf, chambers) * filled)
    paint_dura(rng, hu, subject, grid, (depth, skull.ridge))
    csf = np.maximum(np.maximum(sulci, open_csf), 1.0 - inside) * filled
    csf *= 1.0 - chambers
    return Spaces(csf, chambers, below_tent)


def _cortical_depth(subject: Subject, grid: HeadGrid, depth: Field, sylvian: Field) -> Field:
    """Distance in mm below any surface of the hemispheres: vault, falx and Sylvian fissure."""
    deep: Field = np.minimum(depth - np.float32(subject.gap_mm), -sylvian)
    box = grid.box((-30.0, -110.0, 0.0), (30.0, 110.0, 140.0))
    x, y, z = grid.part(box)
    medial = np.abs(x) - 0.8 + 30.0 * ramp(2.0 - outside_callosum(y, z), 5.0)
    np.minimum(deep[box], medial, out=deep[box])
    return deep


def _paint_cerebrum(
    rng: np.random.Generator,
    hu: Field,
    subject: Subject,
    grid: HeadGrid,
    parts: tuple[Field, Field, Field],
) -> Field:
    """White matter, cortical ribbon and sulci; returns the fraction of sulcal CSF."""
    deep, inside, below_tent = parts
    # Level sets of a field near zero are thin, winding and never cross; along rays they are deep.
    folds = 0.8 * shell_noise(rng, grid, 2.9)
    folds += 0.45 * smooth_noise(rng, grid, 3.2)
    np.abs(folds, out=folds)
    folds *= np.float32(1.0 / _STEEPNESS)
    bottom = np.maximum(14.0 + 5.0 * smooth_noise(rng, grid, 9.0), 4.0)
    # Some sulci are closed lines of grey, others gape: that differs from place to place.
    gape = 0.55 + 0.25 * smooth_noise(rng, grid, 12.0)
    gape = np.maximum(gape * (1.0 + 2.6 * subject.atrophy), 0.1)
    taper = np.clip(1.15 - deep / bottom, 0.0, 1.0)
    above_tent = 1.0 - below_tent
    sulci = ramp(gape * taper - folds, 0.9) * ramp(bottom - deep, 2.0) * above_tent
    edge = np.minimum(deep, np.maximum(folds - 0.5 * gape, deep - bottom + 1.0))
    mild = 0.6 * smooth_noise(rng, grid, 9.0)
    paint(hu, subject.white_hu + mild, inside)
    paint(hu, subject.grey_hu + mild, inside * ramp(_RIBBON_MM - edge, 1.4))
    sulci *= inside
    paint(hu, subject.csf_hu, sulci)
    return sulci


def _paint_cerebellum(
    rng: np.random.Generator,
    hu: Field,
    subject: Subject,
    grid: HeadGrid,
    parts: tuple[Field, Field, Field],
) -> Field:
    """Cerebellum: folia finer than the pixels are a texture between grey and white."""
    depth, inside, below_tent = parts
    folia_csf = np.zeros_like(hu)
    box = grid.box((-75.0, -10.0, -90.0), (75.0, 105.0, 40.0))
    if hu[box].size == 0:
        return folia_csf
    folia = smooth_noise(rng, grid.crop(box), 1.9)
    x, y, z = grid.part(box)
    weight = inside[box] * below_tent[box]
    # Deep white matter reaches out from the fourth ventricle on both sides.
    core = ellipsoid((np.abs(x), y, z), (16.0, 45.0, -4.0), (17.0, 13.0, 12.0)) + 2.0 * folia
    share = (0.55 + 0.35 * np.clip(folia, -1.0, 1.0)) * (1.0 - 0.7 * ramp(core, 5.0))
    tone = subject.white_hu + (subject.grey_hu - subject.white_hu) * share
    paint(hu[box], tone.astype(np.float32), weight)
    deep = depth[box] - np.float32(subject.gap_mm)
    gaps = ramp(0.05 + 0.18 * subject.atrophy - np.abs(folia), 0.5) * 0.6 * ramp(14.0 - deep, 6.0)
    gaps *= weight
    paint(hu[box], subject.csf_hu, gaps)
    folia_csf[box] = gaps
    return folia_csf


def _paint_nuclei(rng: np.random.Generator, hu: Field, subject: Subject, grid: HeadGrid) -> None:
    """Caudate heads, lentiform nuclei and thalami; the gaps between are the internal capsule."""
    box = grid.box((-45.0, -45.0, 15.0), (45.0, 50.0, 75.0))
    if hu[box].size == 0:
        return
    bend = 2.2 * smooth_noise(rng, grid.crop(box), 8.0)
    x, y, z = grid.part(box)
    part, mirrored = hu[box], (np.abs(x) + bend, y - bend, z)
    deep = subject.grey_hu + 1.0
    white = ellipsoid(mirrored, (17.0, 0.0, 46.0), (19.0, 40.0, 24.0))
    paint(part, subject.white_hu, 0.9 * ramp(white, 5.0))
    for centre, radii in (
        ((14.0, -22.0, 45.0), (5.5, 11.0, 12.0)),
        ((17.0, -4.0, 60.0), (3.5, 16.0, 5.0)),
        ((24.0, -6.0, 40.0), (8.0, 17.0, 12.0)),
        ((10.0, 15.0, 43.0), (8.5, 14.0, 10.0)),
    ):
        paint(part, deep, ramp(ellipsoid(mirrored, centre, radii), 2.5))


def _paint_stem(hu: Field, subject: Subject, grid: HeadGrid, depth: Field) -> None:
    """Midbrain, pons and medulla, a little below grey matter in HU."""
    box = grid.box((-30.0, -5.0, -90.0), (30.0, 60.0, 45.0))
    xyz = grid.part(box)
    tone = 0.5 * (subject.grey_hu + subject.white_hu)
    for start, end, radii in (
        ((0.0, 16.0, 36.0), (0.0, 22.0, 16.0), (12.0, 13.0)),
        ((0.0, 20.0, 14.0), (0.0, 22.0, -4.0), (14.5, 13.0)),
        ((0.0, 25.0, -6.0), (0.0, 38.0, -60.0), (9.0, 6.5)),
    ):
        paint(hu[box], tone, ramp(capsule(xyz, start, end, radii), 1.5) * ramp(depth[box]))
