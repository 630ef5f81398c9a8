"""Tests of the hemorrhages: volume, place and density of each subtype in a known head."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.geometry import Field
from model_build.synthetic.lesions import Bled, bleed
from model_build.synthetic.plan import (
    EPIDURAL,
    INTRAPARENCHYMAL,
    INTRAVENTRICULAR,
    SUBARACHNOID,
    SUBDURAL,
    Planned,
    Variant,
)
from model_build.synthetic.spaces import tent_height


def _bled(head: Anatomy, *plan: Planned, seed: int = 1) -> Bled:
    return bleed(np.random.default_rng(seed), head, plan)


def _blood(bled: Bled, label: int) -> Field:
    return bled.blood[label]


@pytest.mark.parametrize(
    ("label", "volume_ml", "variant"),
    [
        (EPIDURAL, 12.0, Variant.PLAIN),
        (INTRAPARENCHYMAL, 8.0, Variant.PLAIN),
        (INTRAVENTRICULAR, 2.0, Variant.LEVEL),
        (INTRAVENTRICULAR, 2.0, Variant.CAST),
        (SUBARACHNOID, 3.0, Variant.FOCAL),
        (SUBARACHNOID, 6.0, Variant.CISTERNAL),
        (SUBDURAL, 15.0, Variant.PLAIN),
        (SUBDURAL, 3.0, Variant.STRIP),
    ],
)
def test_planned_volume_is_reached(
    head: Anatomy, label: int, volume_ml: float, variant: Variant
) -> None:
    """Each shape is cut where its volume is right, and no other subtype appears."""
    bled = _bled(head, Planned(label, volume_ml, 60.0, variant))
    lost = 0.10 if label == SUBARACHNOID else 0.05  # its specks
    assert bled.volumes_ml[label] == pytest.approx(volume_ml, rel=lost)
    assert set(bled.blood) == {label}


@pytest.mark.parametrize("label", [EPIDURAL, INTRAPARENCHYMAL, INTRAVENTRICULAR, SUBDURAL])
def test_core_density_is_the_planned_one(head: Anatomy, label: int) -> None:
    """Voxels of pure blood have the core HU within the texture of 3 HU."""
    bled = _bled(head, Planned(label, 6.0, 58.0))
    pure = bled.hu[_blood(bled, label) > 0.999]
    assert float(pure.mean()) == pytest.approx(58.0, abs=1.5)
    assert 1.5 < float(pure.std()) < 4.5


def test_bleeding_leaves_the_anatomy_unchanged(head: Anatomy) -> None:
    """Two different lesion draws start from the same bytes and do not touch them."""
    before = head.hu.tobytes()
    for seed, label in ((1, SUBDURAL), (2, INTRAPARENCHYMAL)):
        _bled(head, Planned(label, 60.0, 60.0, Variant.EDEMA), seed=seed)
    assert head.hu.tobytes() == before


def test_no_plan_is_the_anatomy_itself(head: Anatomy) -> None:
    """A matched negative is the head, not a copy with differences."""
    bled = _bled(head)
    assert np.array_equal(bled.hu, head.hu)
    assert bled.volumes_ml == (0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("label", [EPIDURAL, SUBDURAL])
def test_extra_axial_blood_touches_the_vault_on_one_side(
    head: Anatomy, label: int, seed: int
) -> None:
    """Epi- and subdural blood lies on the inner table, left or right, on one side of the tent."""
    clot = _blood(_bled(head, Planned(label, 15.0, 60.0), seed=seed), label) > 0.5
    x = head.grid.xyz[0][clot]
    assert float(head.depth[clot].min()) < 1.0
    assert float(head.depth[clot].min()) >= -0.5
    assert abs(np.sign(x).sum()) > 0.99 * x.size
    below = head.spaces.below_tent[clot]
    assert float(below.max()) < 0.6 or float(below.min()) > 0.4


def test_an_epidural_is_thicker_than_a_subdural(head: Anatomy) -> None:
    """At the same volume the lens reaches at least 1.5 times as deep as the crescent."""
    reach = []
    for label in (EPIDURAL, SUBDURAL):
        clot = _blood(_bled(head, Planned(label, 20.0, 60.0)), label) > 0.5
        reach.append(float(np.percentile(head.depth[clot], 98)))
    assert reach[0] > 1.5 * reach[1]
    assert 12 < reach[0] < 30  # 18 mm by the table of sizes, less the curve of the vault


def test_subarachnoid_blood_lies_in_csf(head: Anatomy) -> None:
    """Voxels that bleed hold CSF in the anatomy; ventricles stay clear."""
    clot = _blood(_bled(head, Planned(SUBARACHNOID, 5.0, 52.0, Variant.FOCAL)), SUBARACHNOID) > 0.5
    assert float(head.spaces.csf[clot].min()) > 0.18
    assert float(head.spaces.ventricles[clot].max()) < 0.5


@pytest.mark.parametrize("variant", [Variant.FOCAL, Variant.CISTERNAL])
def test_subarachnoid_blood_is_patches_without_specks(head: Anatomy, variant: Variant) -> None:
    """It lies in several pieces, as BHSD's does, and none of them is a stray voxel."""
    blood = _blood(_bled(head, Planned(SUBARACHNOID, 8.0, 52.0, variant)), SUBARACHNOID)
    pieces, count = ndimage.label(blood >= 0.5, structure=np.ones((3, 3, 3)))
    volumes = ndimage.sum_labels(blood, pieces, range(1, count + 1)) * head.grid.voxel_ml
    assert count >= 3
    assert volumes.min() >= 0.08


def test_ventricular_level_is_dependent(head: Anatomy) -> None:
    """With a fluid level all blood lies behind the CSF that floats on it."""
    bled = _bled(head, Planned(INTRAVENTRICULAR, 3.0, 47.0, Variant.LEVEL), seed=2)
    y = head.grid.xyz[1]
    full = head.spaces.ventricles > 0.9
    blood = _blood(bled, INTRAVENTRICULAR) > 0.5
    assert float(y[blood].mean()) > float(y[full & ~blood].mean()) + 10.0
    assert float(head.spaces.ventricles[blood].min()) >= 0.5


def test_old_subdural_layers_with_cells_behind(head: Anatomy) -> None:
    """A haematocrit level is about 20 HU in front and 55 HU behind."""
    bled = _bled(head, Planned(SUBDURAL, 40.0, 24.0, Variant.LEVEL))
    pure = _blood(bled, SUBDURAL) > 0.99
    y = head.grid.xyz[1]
    front, back = np.percentile(y[pure], [20, 80])
    assert float(bled.hu[pure & (y < front)].mean()) == pytest.approx(20.0, abs=3.0)
    assert float(bled.hu[pure & (y > back)].mean()) == pytest.approx(55.0, abs=3.0)


def test_edema_darkens_the_ring_around_a_bleed(head: Anatomy) -> None:
    """The same bleed with edema has darker tissue within some millimetres, not farther."""
    rings = []
    for variant in (Variant.PLAIN, Variant.EDEMA):
        bled = _bled(head, Planned(INTRAPARENCHYMAL, 15.0, 57.0, variant))
        changed = bled.hu < head.hu - 4.0
        rings.append(float(changed.sum()) * head.grid.voxel_ml)
    assert rings[0] < 0.5
    assert rings[1] > 3.0


@pytest.mark.parametrize(("volume_ml", "shifted"), [(10.0, False), (80.0, True)])
def test_only_large_bleeds_shift_the_midline(
    head: Anatomy, volume_ml: float, shifted: bool
) -> None:
    """10 mL finds room, 80 mL pushes away from its own side, 10 mm at most."""
    bled = _bled(head, Planned(SUBDURAL, volume_ml, 60.0))
    side = np.sign(head.grid.xyz[0][_blood(bled, SUBDURAL) > 0.5].mean())
    assert (abs(bled.shift_mm) > 1.0) is shifted
    assert abs(bled.shift_mm) <= 10.0
    assert bled.shift_mm * side <= 0.0


def test_a_voxel_holds_blood_once(head: Anatomy) -> None:
    """Where a subdural pushes into an epidural on the same side, the voxels change owner."""
    bled = _bled(head, Planned(EPIDURAL, 40.0, 60.0), Planned(SUBDURAL, 60.0, 60.0), seed=3)
    total = sum(bled.blood.values())
    assert bled.volumes_ml[EPIDURAL] < 36.0  # they do overlap
    assert float(np.max(total)) <= 1.0 + 1e-5


def test_an_epidural_breaks_the_bone_in_three_of_four(head: Anatomy) -> None:
    """Over twelve epidurals, bone gives way to a dark line in most and stays whole in some."""
    broken = []
    for seed in range(12):
        bled = _bled(head, Planned(EPIDURAL, 12.0, 60.0), seed=seed)
        lost = (head.hu > 600) & (bled.hu < head.hu - 200) & (head.depth < -1.0)
        broken.append(bool(lost.sum() > 20))
    assert 6 <= sum(broken) <= 11


def test_a_tentorial_subdural_is_a_sheet_on_the_tent(head: Anatomy) -> None:
    """Its blood keeps within some millimetres above the tentorium, on one side."""
    clot = _blood(_bled(head, Planned(SUBDURAL, 6.0, 60.0, Variant.TENT)), SUBDURAL) > 0.5
    x, y, z = (axis[clot] for axis in head.grid.xyz)
    above = z - tent_height((x, y, z))
    assert float(above.min()) >= -1.0
    assert float(above.max()) < 14.0
    assert abs(np.sign(x).sum()) == x.size


def test_a_fluid_level_in_the_brain_is_denser_behind(head: Anatomy) -> None:
    """Unclotted parenchymal blood layers: 36 HU in front, 62 HU behind."""
    bled = _bled(head, Planned(INTRAPARENCHYMAL, 30.0, 57.0, Variant.LEVEL))
    pure = _blood(bled, INTRAPARENCHYMAL) > 0.99
    y = head.grid.xyz[1]
    front, back = np.percentile(y[pure], [20, 80])
    assert float(bled.hu[pure & (y < front)].mean()) == pytest.approx(36.0, abs=3.0)
    assert float(bled.hu[pure & (y > back)].mean()) == pytest.approx(62.0, abs=3.0)


def test_a_clot_on_the_vault_dents_the_cortex_and_moves_no_bone(head: Anatomy) -> None:
    """Brain under a thick subdural changes its place while the skull stays as it was."""
    bled = _bled(head, Planned(SUBDURAL, 60.0, 60.0))
    clear = ~(_blood(bled, SUBDURAL) > 0.0)
    brain = clear & (head.depth > 12.0) & (head.depth < 25.0)
    assert int((abs(bled.hu - head.hu)[brain] > 5.0).sum()) > 2000
    bone = clear & (head.depth < -0.5)
    assert np.array_equal(bled.hu[bone], head.hu[bone])
    soft = float(head.hu[head.depth > 2.0].max())
    assert float(bled.hu[brain].max()) <= soft + 1.0
