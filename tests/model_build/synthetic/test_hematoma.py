"""Tests of the shapes: cutting at a volume and where blood may lie."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.hematoma import build_shape
from model_build.synthetic.plan import (
    EPIDURAL,
    INTRAPARENCHYMAL,
    INTRAVENTRICULAR,
    SUBDURAL,
    Planned,
    Variant,
)
from model_build.synthetic.shape import Shape, cut_at_volume

_BOX = (slice(0, 1), slice(0, 1), slice(0, 100))


def _row(weight: float = 1.0) -> Shape:
    """A row of 100 voxels that fills from its right end, one step of score per voxel."""
    score = np.arange(100, dtype=np.float32).reshape(1, 1, 100)
    return Shape(_BOX, score, np.full((1, 1, 100), weight, dtype=np.float32))


def test_cut_fills_the_highest_scores_first() -> None:
    """20 voxels of 0.1 mL make 2 mL: the last twenty of the row, give or take the soft border."""
    blood, border = cut_at_volume(_row(), 2.0, 0.1)
    assert blood[0, 0, 82:].min() == 1.0
    assert blood[0, 0, :79].max() == 0.0
    assert float(blood.sum()) * 0.1 == pytest.approx(2.0, abs=0.06)
    assert border == pytest.approx(80.0, abs=1.0)


def test_cut_needs_twice_the_room_at_half_weight() -> None:
    """Voxels that can hold half their volume of blood are used twice as many."""
    blood, _ = cut_at_volume(_row(0.5), 2.0, 0.1)
    assert int((blood > 0.25).sum()) == pytest.approx(40, abs=1)
    assert float(blood.max()) == 0.5


def test_cut_stops_when_the_room_is_full() -> None:
    """A volume that does not fit fills everything and nothing more."""
    blood, _ = cut_at_volume(_row(), 500.0, 0.1)
    assert float(blood[0, 0, 1:].min()) == 1.0


def test_empty_region_stays_empty() -> None:
    """Without room there is no blood and no failure."""
    blood, _ = cut_at_volume(_row(0.0), 2.0, 0.1)
    assert float(blood.sum()) == 0.0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("label", [EPIDURAL, SUBDURAL])
def test_extra_axial_room_is_on_one_side(head: Anatomy, label: int, seed: int) -> None:
    """Sutures and falx hold: the other side of the midline offers no room at all."""
    shape = build_shape(np.random.default_rng(seed), head, Planned(label, 60.0, 60.0))
    x = head.grid.xyz[0][shape.box]
    left, right = (float(shape.weight[s].sum()) for s in (x > 1.5, x < -1.5))
    assert max(left, right) > 0.0
    assert min(left, right) == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_brain_bleeds_stay_out_of_bone_and_ventricles(head: Anatomy, seed: int) -> None:
    """An intraparenchymal clot has no room in the skull, and none in a pure ventricle."""
    shape = build_shape(np.random.default_rng(seed), head, Planned(INTRAPARENCHYMAL, 20.0, 57.0))
    assert float(shape.weight[head.depth[shape.box] < 1.0].max(initial=0.0)) == 0.0
    pure = head.spaces.ventricles[shape.box] > 0.999
    assert float(shape.weight[pure].max(initial=0.0)) < 0.01


def test_ventricular_room_is_the_ventricles(head: Anatomy) -> None:
    """The room of intraventricular blood is the ventricular volume, whatever the variant."""
    for variant in (Variant.LEVEL, Variant.CAST, Variant.PLAIN):
        planned = Planned(INTRAVENTRICULAR, 2.0, 47.0, variant)
        shape = build_shape(np.random.default_rng(0), head, planned)
        assert float(shape.weight.sum()) == pytest.approx(
            float(head.spaces.ventricles.sum()), rel=0.01
        )


def test_epidural_size_follows_the_table(head: Anatomy) -> None:
    """10 mL is a lens of about 38 x 14 mm: wider than thick by more than two."""
    thick, wide = [], []
    for seed in range(4):
        shape = build_shape(np.random.default_rng(seed), head, Planned(EPIDURAL, 10.0, 60.0))
        blood, _ = cut_at_volume(shape, 10.0, head.grid.voxel_ml)
        x, y, z = (axis[shape.box][blood > 0.5] for axis in head.grid.xyz)
        thick.append(float(np.percentile(head.depth[shape.box][blood > 0.5], 99)))
        wide.append(max(float(np.ptp(axis)) for axis in (x, y, z)))
    assert 9.0 < np.mean(thick) < 17.0
    assert 30.0 < np.mean(wide) < 48.0
