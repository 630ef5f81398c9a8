"""Tests of the lesion statistics: figures of drawn lesions, and each limit can be missed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_build.synthetic.check_lesions import (
    BHSD_HU,
    BHSD_LN_ML,
    NATURAL,
    check_lesions,
    check_prevalence,
    lesion_volumes,
    series_hu,
)
from model_build.synthetic.masks import write_mask
from model_build.synthetic.measure import Measure
from model_build.synthetic.truth import Truth
from service.types import LABELS
from tests.model_build.synthetic.drawn_truth import drawn_truth


def _by_name(measures: list[Measure]) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures}


def _mask(folder: Path, name: str, *blocks: tuple[int, int, int, int]) -> None:
    """Blocks of (value, row, rows, columns) at column 100."""
    mask = np.zeros((512, 512), np.uint8)
    for value, row, rows, columns in blocks:
        mask[row : row + rows, 100 : 100 + columns] = value
    (folder / "masks").mkdir(exist_ok=True)
    write_mask(folder / "masks" / f"{name}.png", mask)


def test_lesions_connect_through_slices_and_not_across_subtypes(tmp_path: Path) -> None:
    """A block over two slices is one lesion, a second block another, a speck none."""
    truth = drawn_truth(series=2, slices=3)
    _mask(tmp_path, truth.names[0], (2, 100, 10, 20), (3, 110, 10, 20), (1, 400, 3, 3))
    _mask(tmp_path, truth.names[1], (2, 105, 10, 20))
    _mask(tmp_path, truth.names[4], (2, 105, 5, 10))
    volumes = lesion_volumes(tmp_path, truth)
    assert sorted(volumes[1]) == pytest.approx([0.05, 0.4])
    assert volumes[2] == pytest.approx([0.2])
    assert not volumes[0].size  # 9 voxels of 0.001 mL are below the smallest lesion of the table


def test_density_is_weighted_by_area_and_needs_a_millilitre() -> None:
    """Two slices of a series average by area; a series with less than 1 mL says nothing."""
    hu = np.full((4, 5), np.nan)
    hu[:, 4] = [50.0, 70.0, 60.0, 60.0]
    area = np.zeros((4, 5))
    area[:, 4] = [300.0, 100.0, 50.0, 50.0]
    volumes = np.zeros((4, 5))
    volumes[:, 4] = [2.0, 2.0, 0.5, 0.5]
    truth = drawn_truth(series=2, slices=2, mean_hu=hu, area_mm2=area, volumes_ml=volumes)
    assert series_hu(truth)[4] == pytest.approx([55.0])
    assert not series_hu(truth)[0].size


def _table_truth(folder: Path, shift: float = 0.0, brighter: float = 0.0) -> Truth:
    """120 series with one intraparenchymal lesion each, drawn from the table, or moved off it."""
    rng = np.random.default_rng(1)
    mu, sd = BHSD_LN_ML[1]
    wanted = np.clip(np.exp(rng.normal(mu, sd, 120)) * np.exp(shift), 0.011, 200.0)
    hu, area = np.full((120, 5), np.nan), np.zeros((120, 5))
    volumes = np.zeros((120, 5))
    hu[:, 1], area[:, 1] = rng.normal(*BHSD_HU[1], 120) + brighter, 100.0
    volumes[:, 1] = 2.0
    truth = drawn_truth(
        series=120,
        slices=1,
        mean_hu=hu,
        area_mm2=area,
        volumes_ml=volumes,
        voxel_ml=wanted / 100.0,
    )
    for name in truth.names:
        _mask(folder, name, (2, 100, 10, 10))
    return truth


def test_lesions_of_the_table_pass(tmp_path: Path) -> None:
    """Volumes and densities drawn from the published distribution keep the limits."""
    found = _by_name(check_lesions(tmp_path, _table_truth(tmp_path), "training"))
    assert found["KS volume intraparenchymal"].passed
    assert found["KS mean HU intraparenchymal"].passed
    assert found["KS volume epidural"].passed is None


def test_textbook_blood_fails(tmp_path: Path) -> None:
    """Lesions of thirty times the volume and 75 HU instead of 50 miss both limits."""
    truth = _table_truth(tmp_path, shift=np.log(30.0), brighter=25.0)
    found = _by_name(check_lesions(tmp_path, truth, "training"))
    assert found["KS volume intraparenchymal"].passed is False
    assert found["KS mean HU intraparenchymal"].passed is False


def _with_shares(shares: tuple[float, ...]) -> Truth:
    truth = drawn_truth(series=300, slices=10)
    for k, share in enumerate(shares):
        truth.labels[: round(share * len(truth)), k] = 1
    return truth


def test_natural_prevalence_has_limits_on_both_sides() -> None:
    """The published shares pass; three times as many, and none at all, fail."""
    found = check_prevalence(_with_shares(NATURAL), "natural")
    assert all(measure.passed for measure in found)
    many = _by_name(check_prevalence(_with_shares((0.5,) * 6), "natural"))
    none = _by_name(check_prevalence(_with_shares((0.0,) * 6), "natural"))
    assert all(many[f"prevalence {name}"].passed is False for name in LABELS)
    assert none["prevalence any"].passed is False


def test_training_sets_need_each_subtype() -> None:
    """A subtype on one slice of a hundred cannot be learnt."""
    found = _by_name(check_prevalence(_with_shares((0.01, 0.1, 0.1, 0.1, 0.1, 0.4)), "training"))
    assert found["prevalence epidural"].passed is False
    assert found["prevalence subdural"].passed
    hidden = drawn_truth(subvisible=np.ones(12, np.bool_))
    assert _by_name(check_prevalence(hidden, "training"))["subvisible slices"].passed is False
