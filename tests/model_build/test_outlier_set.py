"""Outlier set: every kind is what its name says, in Hounsfield units, the same for a seed."""

from __future__ import annotations

import numpy as np
import pytest

from model_build import outlier_set

SIDE = 128


@pytest.fixture(scope="module")
def heads() -> np.ndarray:
    """Two slices: air, a ring of bone, brain of 35 HU within."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    radius = np.hypot(x, y)
    image = np.full((SIDE, SIDE), -1000.0)
    image[radius < 50] = 1000
    image[radius < 44] = 35
    noise = np.random.default_rng(0).normal(0, 3, (2, SIDE, SIDE))
    return np.clip(image + noise, -1024, 3071).astype(np.int16)


@pytest.fixture(scope="module")
def made(heads: np.ndarray) -> dict[str, np.ndarray]:
    """Every kind of both."""
    return outlier_set.make(heads, 4)


def test_every_kind_is_there_and_is_no_copy(heads: np.ndarray, made: dict[str, np.ndarray]) -> None:
    """Eight kinds, int16 within the range of CT, each another picture."""
    assert len(made) == 8
    for images in made.values():
        assert (images.shape, images.dtype) == (heads.shape, np.int16)
        assert images.min() >= -1024
        assert images.max() <= 3071
        assert (images != heads).any(axis=(1, 2)).all()


def test_a_seed_gives_the_same_pictures(heads: np.ndarray, made: dict[str, np.ndarray]) -> None:
    """Reproducible; another seed differs where chance plays a part."""
    again, other = outlier_set.make(heads, 4), outlier_set.make(heads, 5)
    assert all(np.array_equal(made[name], again[name]) for name in made)
    assert not np.array_equal(made["noise"], other["noise"])


def test_grey_values_by_kind(heads: np.ndarray, made: dict[str, np.ndarray]) -> None:
    """Brain and air after each mistake."""
    middle = (slice(None), slice(54, 74), slice(54, 74))
    corner = (slice(None), slice(0, 8), slice(0, 8))
    assert made["inverted"][corner].min() > 900  # air is brightest
    assert (made["MR-like scaling"][corner] < 20).all()
    assert made["MR-like scaling"][middle].mean() > 400
    assert made["8-bit picture as HU"][middle].mean() == pytest.approx(255 * 35 / 80, abs=3)
    assert made["8-bit picture as HU"].min() == 0
    lungs = made["chest-like discs"][0, 64, 30:46]
    assert lungs.mean() < -700
    factors = (made["wrong slope"][middle].mean(axis=(1, 2)) + 1024) / (1024 + 35)
    assert all(min(abs(f - slope) for slope in outlier_set.SLOPES) < 0.01 for f in factors)
    assert made["bone kernel"][middle].std() > 3 * heads[middle].std()


def test_vessels_lie_in_the_brain_and_add_sixty(
    heads: np.ndarray, made: dict[str, np.ndarray]
) -> None:
    """A small part of the soft tissue, nothing in bone or air."""
    gain = made["vessels +60 HU"] - heads
    assert set(np.unique(gain)) == {0, 60}
    share = (gain > 0).sum() / ((heads > 0) & (heads < 90)).sum()
    assert 0.01 < share < 0.6
    assert not gain[(heads > 90) | (heads <= 0)].any()


def test_a_slice_without_soft_tissue_does_not_fail() -> None:
    """Air alone: there is nowhere to lay a vessel."""
    made = outlier_set.make(np.full((1, SIDE, SIDE), -1000, np.int16), 0)
    assert (made["vessels +60 HU"] == -1000).all()
