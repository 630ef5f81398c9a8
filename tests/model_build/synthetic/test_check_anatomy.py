"""Tests of the rebuilt heads: published tissue values, and leaks that are planted are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.check_anatomy import (
    Pair,
    build_pairs,
    check_anatomy,
    leaks_label,
    tissue_modes,
)
from model_build.synthetic.geometry import Field
from model_build.synthetic.plan import EPIDURAL, INTRAPARENCHYMAL


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A short bleeding head and its twin."""
    return build_pairs([f"{77:016x}"], "training", 3)[0]


def test_modes_are_those_of_the_person(head: Anatomy) -> None:
    """White, grey, fluid and bone of a whole head lie at the drawn values."""
    modes, person = tissue_modes(head), head.subject
    assert modes["white matter"] == pytest.approx(person.white_hu, abs=2.0)
    assert modes["grey matter"] == pytest.approx(person.grey_hu, abs=2.0)
    assert modes["CSF"] == pytest.approx(person.csf_hu, abs=2.0)


def test_tissue_that_is_not_there_has_no_mode(head: Anatomy) -> None:
    """A head of water has no bone and no fat."""
    modes = tissue_modes(replace(head, hu=head.hu * 0))
    assert modes["compact bone"] is None
    assert modes["fat"] is None


def test_twins_do_not_leak(pair: Pair) -> None:
    """The built generator draws lesions into an untouched head."""
    assert pair.bled.bled.blood
    assert not leaks_label(pair)
    found = {m.name: m for m in check_anatomy([pair], 4.0)}
    assert found["heads that differ by more than lesions"].passed


def test_a_changed_head_is_a_leak(pair: Pair) -> None:
    """One voxel of the anatomy, another scan, or a change far from blood."""
    anatomy = pair.bled.anatomy
    hu = anatomy.hu.copy()
    hu[0, 0, 0] += 1.0
    other = replace(pair.bled, anatomy=replace(anatomy, hu=hu))
    scan = replace(pair.bled.acquisition, kvp=pair.bled.acquisition.kvp + 1)
    painted = pair.bled.bled.hu.copy()
    painted[0, 0, 0] += 1.0  # a corner of the grid: air, far from the skull
    far = replace(pair.bled, bled=replace(pair.bled.bled, hu=painted))
    for leak in (other, replace(pair.bled, acquisition=scan), far):
        assert leaks_label(replace(pair, bled=leak))
    found = {m.name: m for m in check_anatomy([replace(pair, bled=far)], 4.0)}
    assert found["heads that differ by more than lesions"].passed is False


def test_only_a_mass_may_move_the_brain(pair: Pair) -> None:
    """Inside the skull, far from blood, a change needs a mass that displaces."""
    blood = _all_blood(pair)
    inside = (pair.bled.anatomy.depth > 0) & (_distance_mm(pair, blood) > 20.0)
    assert _changed_at(pair, inside, {INTRAPARENCHYMAL: blood}, displaced=False)
    assert not _changed_at(pair, inside, {INTRAPARENCHYMAL: blood}, displaced=True)


def test_only_an_epidural_may_break_the_bone(pair: Pair) -> None:
    """Bone some centimetres from the blood changes under an epidural, and nowhere else."""
    blood = _all_blood(pair)
    away = _distance_mm(pair, blood)
    bone = (pair.bled.anatomy.depth <= 0) & (away > 20.0) & (away < 40.0)
    assert not _changed_at(pair, bone, {EPIDURAL: blood}, displaced=True)
    assert _changed_at(pair, bone, {INTRAPARENCHYMAL: blood}, displaced=True)
    far = (pair.bled.anatomy.depth <= 0) & (away > 50.0)
    assert _changed_at(pair, far, {EPIDURAL: blood}, displaced=True)


def _all_blood(pair: Pair) -> Field:
    found: Field = np.maximum.reduce(list(pair.bled.bled.blood.values()))
    return found


def _distance_mm(pair: Pair, blood: Field) -> Field:
    voxel_mm = pair.bled.anatomy.grid.voxel_mm
    found: Field = ndimage.distance_transform_edt(blood <= 0, sampling=voxel_mm)
    return found


def _changed_at(
    pair: Pair, where: npt.NDArray[np.bool_], blood: dict[int, Field], *, displaced: bool
) -> bool:
    """Whether one voxel more at the first of these places counts as a leak."""
    hu = pair.bled.bled.hu.copy()
    hu[tuple(np.argwhere(where)[0])] += 1.0
    changed = replace(pair.bled.bled, hu=hu, blood=blood, displaced=displaced)
    return leaks_label(replace(pair, bled=replace(pair.bled, bled=changed)))


def test_a_twin_that_bleeds_is_a_leak(pair: Pair) -> None:
    """The head without lesions has none."""
    assert leaks_label(Pair(pair.bled, pair.bled))


def test_tissue_limits_can_be_missed(pair: Pair) -> None:
    """10 HU more everywhere, and noise of 1 HU, leave the published ranges."""
    anatomy = pair.twin.anatomy
    bright = replace(anatomy, hu=anatomy.hu + 10.0)
    shifted = replace(pair, twin=replace(pair.twin, anatomy=bright))
    found = {m.name: m for m in check_anatomy([shifted], 1.0)}
    missed = {name for name, measure in found.items() if measure.passed is False}
    assert {"mode white matter", "mode grey matter", "grey-white contrast over noise"} <= missed
