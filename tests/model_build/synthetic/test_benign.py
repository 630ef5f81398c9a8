"""Tests of the benign findings: each appears where it belongs and leaves no blood label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_build.synthetic.anatomy import Anatomy, build_anatomy
from model_build.synthetic.benign import break_bone, cut_bone
from model_build.synthetic.findings import Findings, draw_findings
from model_build.synthetic.geometry import head_grid
from model_build.synthetic.subject import draw_subject
from tests.model_build.synthetic.level_head import level_geometry

_GRID = head_grid(level_geometry(slices=12, first_mm=30.0))


def _none() -> Findings:
    drawn = draw_findings(np.random.default_rng(0), 0.0)
    return replace(
        drawn,
        dense_artery=0,
        mucosa_mm=0.0,
        bruise_mm=0.0,
        fracture=False,
        burr_mm=0.0,
        hygroma_mm=0.0,
        cyst_mm=0.0,
        mass_mm=0.0,
        dark_mm=0.0,
        speck_hu=0.0,
        lacunes=0,
        shunt=False,
    )


def _head(**change: object) -> Anatomy:
    rng = np.random.default_rng(8)
    subject = replace(draw_subject(rng), infarct_ml=0.0, gliosis_hu=0.0)
    found = replace(_none(), **change)  # type: ignore[arg-type]
    return build_anatomy(rng, replace(subject, findings=found), _GRID)


@pytest.fixture(scope="module")
def plain() -> Anatomy:
    """A head without findings."""
    return _head()


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        ({"hygroma_mm": 9.0, "hygroma_side": 0}, -40.0, -10.0),
        ({"dark_mm": 20.0}, -25.0, -4.0),
        ({"speck_hu": 300.0}, 5.0, 300.0),
        ({"mass_mm": 16.0, "mass_hu": 55.0}, 10.0, 60.0),
        ({"shunt": True}, 30.0, 230.0),
    ],
)
def test_a_finding_changes_the_brain_in_its_own_direction(
    plain: Anatomy, change: dict[str, object], low: float, high: float
) -> None:
    """Collections and swelling darken, masses, calcium and catheters brighten the same head."""
    found = _head(**change)
    inside = plain.depth > 1.5
    moved = (found.hu - plain.hu)[inside]
    changed = moved[abs(moved) > 3.0]
    assert changed.size > 30
    assert low < float(np.median(changed)) < high


def test_a_hygroma_counts_as_csf(plain: Anatomy) -> None:
    """Blood of the subarachnoid kind may enter the collection, so it belongs to the CSF."""
    found = _head(hygroma_mm=9.0, hygroma_side=1)
    gained = found.spaces.csf - plain.spaces.csf > 0.5
    assert gained.sum() > 500
    assert float(_GRID.xyz[0][gained].min()) > 0.0


def test_a_bruise_thickens_the_scalp_at_its_place(plain: Anatomy) -> None:
    """Tissue outside the normal scalp appears around its azimuth only."""
    found = _head(bruise_mm=12.0, bruise_deg=90.0, bruise_z=55.0, bruise_hu=50.0)
    new = (found.hu > -200.0) & (plain.hu < -900.0)
    assert new.sum() > 200
    assert float(_GRID.xyz[0][new].min()) > 0.0


@pytest.mark.parametrize("cut", ["fracture", "burr hole", "flap"])
def test_cuts_take_bone_away_and_nothing_else(plain: Anatomy, cut: str) -> None:
    """A fracture and a hole lower bone near their place; brain and scalp keep their HU."""
    hu = plain.hu.copy()
    if cut == "fracture":
        break_bone(hu, plain.subject, _GRID, (90.0, 55.0), 0.7)
    else:
        radius = {"burr hole": 7.0, "flap": 24.0}[cut]
        cut_bone(hu, plain.subject, _GRID, (90.0, 55.0), radius)
    changed = hu != plain.hu
    lower = hu < plain.hu
    assert lower.sum() > 50
    assert float(plain.hu[lower].min()) > 150.0
    assert float(_GRID.xyz[0][changed].min()) > 20.0


def test_findings_keep_their_shares() -> None:
    """About 5 % dense arteries, 30 % bruises; fractures only under a bruise."""
    drawn = [draw_findings(np.random.default_rng(k), 0.5) for k in range(1500)]
    assert 0.03 < np.mean([f.dense_artery != 0 for f in drawn]) < 0.075
    assert 0.25 < np.mean([f.bruise_mm > 0 for f in drawn]) < 0.35
    assert all(f.bruise_mm > 0 for f in drawn if f.fracture)
    assert sum(f.fracture for f in drawn) > 50
