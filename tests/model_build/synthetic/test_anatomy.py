"""Tests of the head: tissue densities, volumes and hard negatives against the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from model_build.synthetic.anatomy import Anatomy, build_anatomy
from model_build.synthetic.geometry import Field, head_grid
from model_build.synthetic.skull import vault_distance
from model_build.synthetic.subject import draw_subject
from tests.model_build.synthetic.level_head import level_geometry


def _modes(values: Field, low: float, high: float) -> float:
    """Most frequent HU between two limits, from a histogram in steps of half a unit."""
    counts, edges = np.histogram(values, bins=np.arange(low, high, 0.5))
    return float(edges[int(np.argmax(counts))] + 0.25)


def test_white_matter_mode(head: Anatomy) -> None:
    """Deep brain peaks at the white matter of the subject, within 2 HU."""
    deep = head.hu[(head.depth > 15) & (head.grid.xyz[2] > 65)]
    assert _modes(deep, 20, 45) == pytest.approx(head.subject.white_hu, abs=2.0)


def test_grey_matter_mode(head: Anatomy) -> None:
    """The cortical ribbon under the vault peaks at the grey matter of the subject."""
    under = head.depth - head.subject.gap_mm
    ribbon = head.hu[(under > 1.0) & (under < 2.5) & (head.grid.xyz[2] > 60)]
    assert _modes(ribbon, 25, 48) == pytest.approx(head.subject.grey_hu, abs=2.0)


def test_ventricles_hold_csf(head: Anatomy) -> None:
    """Pure ventricle voxels have the density of CSF, choroid calcium aside."""
    pure = ndimage.binary_erosion(head.spaces.ventricles > 0.99, iterations=1)
    assert float(np.median(head.hu[pure])) == pytest.approx(head.subject.csf_hu, abs=2.0)


def test_skull_has_two_tables_and_diploe(head: Anatomy) -> None:
    """Between the vault surface and the brain lie compact, spongy and compact bone."""
    outer = vault_distance(head.subject, head.grid)
    _, y, z = head.grid.xyz
    shell = (head.depth < 0) & (outer > 0) & (z > 40) & (z < 80) & (abs(y) < 60)
    bone = head.hu[shell]
    assert float(np.percentile(bone, 95)) == pytest.approx(head.subject.bone_hu, rel=0.05)
    assert head.subject.diploe_hu * 0.6 < float(np.percentile(bone, 15)) < 700


def test_brain_and_ventricle_volumes_are_human(head: Anatomy) -> None:
    """The cavity holds 1.1 to 1.9 L and the ventricles 5 to 120 mL."""
    cavity = float((head.depth > 0).sum()) * head.grid.voxel_ml
    ventricles = float(head.spaces.ventricles.sum(dtype=np.float64)) * head.grid.voxel_ml
    assert 1100 < cavity < 1900
    assert 5 < ventricles < 120


def test_fractions_never_overlap_or_leave_the_cavity(head: Anatomy) -> None:
    """Subarachnoid and ventricular CSF share no voxel twice, and none lies in bone."""
    total = head.spaces.csf + head.spaces.ventricles
    assert float(total.max()) <= 1.0 + 1e-5
    assert float(total[head.depth < -1.0].max()) == 0.0


@pytest.mark.parametrize(
    ("finding", "place"),
    [("pineal_hu", (0, 31, 40)), ("choroid_hu", (22, 40, 47)), ("ganglia_hu", (19, -4, 40))],
)
def test_calcification_appears_only_where_the_subject_has_one(
    finding: str, place: tuple[float, float, float]
) -> None:
    """Switching one finding on brightens its place, the same head otherwise."""
    grid = head_grid(level_geometry(slices=3, first_mm=35.0))
    peaks = []
    for value in (0.0, 200.0):
        rng = np.random.default_rng(5)
        subject = replace(
            draw_subject(rng), pineal_hu=0.0, choroid_hu=0.0, ganglia_hu=0.0, infarct_ml=0.0
        )
        made = build_anatomy(rng, replace(subject, **{finding: value}), grid)
        box = grid.box(tuple(p - 9 for p in place), tuple(p + 9 for p in place))
        peaks.append(float(made.hu[box].max()))
    assert peaks[0] < 62 < 120 < peaks[1]


def test_atrophy_widens_the_csf() -> None:
    """The same head with atrophy has more CSF in sulci and ventricles."""
    grid = head_grid(level_geometry(slices=4, first_mm=50.0))
    amounts = []
    for atrophy, gap in ((0.0, 1.0), (1.0, 3.2)):
        rng = np.random.default_rng(6)
        subject = replace(draw_subject(rng), atrophy=atrophy, gap_mm=gap)
        spaces = build_anatomy(rng, subject, grid).spaces
        amounts.append((float(spaces.csf.sum()), float(spaces.ventricles.sum())))
    assert amounts[1][0] > 1.3 * amounts[0][0]
    assert amounts[1][1] > 1.3 * amounts[0][1]


def test_subjects_follow_the_published_shares() -> None:
    """About 60 % have pineal calcium; grey exceeds white by 7.5 HU; ages span 20 to 88."""
    drawn = [draw_subject(np.random.default_rng(k)) for k in range(500)]
    assert 0.53 < np.mean([s.pineal_hu > 0 for s in drawn]) < 0.67
    assert np.mean([s.grey_hu - s.white_hu for s in drawn]) == pytest.approx(7.5, abs=0.2)
    assert min(s.age for s in drawn) == 20
    assert max(s.age for s in drawn) == 88
