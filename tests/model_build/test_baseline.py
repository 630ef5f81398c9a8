"""Baseline: drawn heads with known areas, and a probe that must find what separates them."""

from __future__ import annotations

import numpy as np
import pytest

from model_build import baseline
from model_build.metrics import auroc

ROWS, COLUMNS = np.mgrid[:512, :512]
RADIUS = np.hypot(ROWS - 256, COLUMNS - 256)
BRAIN_HU, BONE_HU, AIR_HU = 30, 1000, -1000


def drawn_head(clot_hu: int = BRAIN_HU, clot_side: int = 0, skull: bool = True) -> np.ndarray:
    """A round head: skull ring of radius 200 to 216 pixels, a square clot left of the middle."""
    head = np.where(RADIUS < 216, BRAIN_HU, AIR_HU).astype(np.int16)
    if skull:
        head[(RADIUS >= 200) & (RADIUS < 216)] = BONE_HU
    head[200 : 200 + clot_side, 180 : 180 + clot_side] = clot_hu
    return head


def feature(voxels_hu: np.ndarray, name: str) -> float:
    """One feature of a slice by name."""
    return float(baseline.slice_features(voxels_hu)[baseline.FEATURES.index(name)])


def test_clot_area_is_counted_in_half_size_pixels() -> None:
    """A clot of 40 by 40 pixels is 20 by 20 at half size, over every threshold below its HU."""
    head = drawn_head(clot_hu=57, clot_side=40)
    for name in ("area_over_45_hu", "area_over_50_hu", "area_over_55_hu", "largest_over_50_hu"):
        assert feature(head, name) == pytest.approx(np.log1p(400))
    assert feature(head, "area_over_60_hu") == 0.0


def test_head_without_clot_has_no_bright_area() -> None:
    """Skull and scalp do not leak into the areas; the mean is that of the brain."""
    head = drawn_head()
    assert feature(head, "area_over_45_hu") == 0.0
    assert feature(head, "brain_mean_hu") == pytest.approx(BRAIN_HU)


def test_brain_is_the_eroded_inside_of_the_skull() -> None:
    """Radius 100 at half size, less the margin of 3 and half a pixel of partial volume."""
    area = np.expm1(feature(drawn_head(), "brain_area"))
    assert np.pi * 95.5**2 < area < np.pi * 97.5**2


def test_largest_component_is_one_of_two_clots() -> None:
    """A second, smaller clot counts in the area and not in the largest component."""
    head = drawn_head(clot_hu=70, clot_side=40)
    head[300:320, 300:320] = 70
    assert feature(head, "area_over_50_hu") == pytest.approx(np.log1p(400 + 100))
    assert feature(head, "largest_over_50_hu") == pytest.approx(np.log1p(400))


def test_single_bright_pixels_are_opened_away() -> None:
    """Grains of 2 by 2 pixels, one pixel at half size, are noise and not area."""
    head = drawn_head()
    head[200:300:10, 200:300:10] = 90
    head[201:300:10, 200:300:10] = 90
    head[200:300:10, 201:300:10] = 90
    head[201:300:10, 201:300:10] = 90
    assert feature(head, "area_over_50_hu") == 0.0


def test_a_gap_in_the_skull_is_bridged() -> None:
    """A foramen of 20 pixels changes the brain by little, a missing skull empties it."""
    closed, gaping = drawn_head(), drawn_head()
    gaping[246:266, 440:] = BRAIN_HU
    whole, gapped = (np.expm1(feature(head, "brain_area")) for head in (closed, gaping))
    assert gapped == pytest.approx(whole, rel=0.02)
    assert feature(drawn_head(skull=False), "brain_area") == 0.0


def test_slice_without_a_head_gives_zeros() -> None:
    """Air only: every feature is 0, none is NaN."""
    found = baseline.slice_features(np.full((512, 512), AIR_HU, dtype=np.int16))
    assert found.tolist() == [0.0] * len(baseline.FEATURES)


def test_other_sizes_are_refused() -> None:
    """Areas of another matrix would not compare."""
    with pytest.raises(ValueError, match="512"):
        baseline.slice_features(np.zeros((256, 256), dtype=np.int16))


def test_probe_finds_clots_of_any_size() -> None:
    """Fitted on noisy heads with and without clot, it ranks unseen ones right."""
    generator = np.random.default_rng(0)
    features, labels = [], []
    for index in range(24):
        side = int(generator.integers(20, 60)) if index % 2 else 0
        noise = generator.normal(0, 4, (512, 512))
        features.append(baseline.slice_features((drawn_head(60, side) + noise).astype(np.int16)))
        labels.append([index % 2])
    rows, truth = np.array(features), np.array(labels)
    probe = baseline.fit(rows[:12], truth[:12])
    assert auroc(probe.score(rows[12:])[:, 0], truth[12:, 0]) == 1.0
    assert auroc(baseline.threshold_score(rows[12:]), truth[12:, 0]) == 1.0


def test_probe_is_calibrated_on_its_training_labels() -> None:
    """Mean score equals the prevalence (the score equation of the intercept), label by label."""
    generator = np.random.default_rng(1)
    features = generator.normal(5.0, [1.0, 100.0, 0.01], size=(400, 3))
    chance = 1 / (1 + np.exp(1.5 - features[:, [0, 0]] * [0.3, 0.1]))
    labels = (generator.random((400, 2)) < chance).astype(int)
    scores = baseline.fit(features, labels).score(features)
    assert scores.mean(axis=0) == pytest.approx(labels.mean(axis=0), abs=1e-3)


def test_constant_label_and_constant_feature_are_survived() -> None:
    """A label that never occurs gets its smoothed share, a feature that never varies no say."""
    features = np.column_stack([np.arange(10.0), np.full(10, 3.0)])
    labels = np.column_stack([np.zeros(10, dtype=int), np.arange(10) > 4]).astype(int)
    scores = baseline.fit(features, labels).score(features)
    assert scores[:, 0] == pytest.approx(np.full(10, 0.5 / 11))
    assert (np.diff(scores[:, 1]) > 0).all()


def test_unequal_lengths_are_refused() -> None:
    """A probe needs one label row per feature row."""
    with pytest.raises(ValueError, match="rows"):
        baseline.fit(np.zeros((3, 2)), np.zeros((4, 6), dtype=int))
