"""Tests of the lesion plan: shares, volumes and densities over many draws."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.synthetic.plan import (
    EPIDURAL,
    INTRAPARENCHYMAL,
    INTRAVENTRICULAR,
    SUBARACHNOID,
    SUBDURAL,
    Mode,
    Planned,
    Variant,
    draw_plan,
)


def _plans(mode: Mode, count: int = 1500) -> list[tuple[Planned, ...]]:
    rng = np.random.default_rng(0)
    return [draw_plan(rng, mode) for _ in range(count)]


def test_every_positive_series_has_a_lesion() -> None:
    """No plan is empty; volumes and densities stay within what a head can hold."""
    planned = [one for plan in _plans("training") for one in plan]
    assert all(_plans("training", 200))
    assert all(0.05 <= one.volume_ml <= 110.0 for one in planned)
    assert all(14.0 <= one.core_hu <= 78.0 for one in planned)


@pytest.mark.parametrize(
    ("label", "mean_hu"),
    [(EPIDURAL, 60), (INTRAPARENCHYMAL, 57), (INTRAVENTRICULAR, 47), (SUBARACHNOID, 52)],
)
def test_core_density_has_the_published_mean(label: int, mean_hu: float) -> None:
    """Cores average to the lowered values of the recipe, never to a textbook 80 HU."""
    cores = [one.core_hu for plan in _plans("training") for one in plan if one.label == label]
    assert np.mean(cores) == pytest.approx(mean_hu, abs=1.5)


def test_subdurals_are_acute_subacute_or_chronic() -> None:
    """Sixteen in a hundred subdurals are chronic; half of those layer."""
    plans = [one for plan in _plans("training") for one in plan if one.label == SUBDURAL]
    chronic = np.mean([one.core_hu < 32 for one in plans])
    layered = np.mean([one.variant is Variant.LEVEL for one in plans])
    assert 0.12 < chronic < 0.25
    assert 0.03 < layered < 0.12


def test_natural_mode_has_few_epidurals() -> None:
    """Epidurals are rare in the natural mix and common in the training mix."""
    shares = [
        np.mean([any(one.label == EPIDURAL for one in plan) for plan in _plans(mode)])
        for mode in ("natural", "training")
    ]
    assert shares[0] < 0.08
    assert shares[1] > 0.3


def test_training_mode_balances_the_subtypes() -> None:
    """Each subtype is in a quarter to two thirds of the positive training series."""
    plans = _plans("training")
    for label in range(5):
        share = np.mean([any(one.label == label for one in plan) for plan in plans])
        assert 0.25 < share < 0.67
