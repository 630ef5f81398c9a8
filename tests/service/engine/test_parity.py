"""Parity: the largest difference, and flips of decisions that were clear."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from service.engine.parity import Agreement, compare, measured
from tests.service.fakes import make_manifest


def logits(*probabilities: float) -> npt.NDArray[np.float32]:
    """One slice a probability, the same for all six labels: float32 (N, 6)."""
    p = np.array(probabilities)
    return np.repeat(np.log(p / (1 - p))[:, None], 6, axis=1).astype(np.float32)


def test_the_largest_difference_is_of_probabilities() -> None:
    """0.2 and 0.203 differ by 0.003; the second slice not at all."""
    agreement = compare(logits(0.203, 0.9), logits(0.2, 0.9), make_manifest())
    assert agreement.max_probability_difference == pytest.approx(0.003, abs=1e-6)
    assert (agreement.flips, agreement.slices, agreement.holds) == (0, 2, True)


def test_a_difference_over_the_limit_does_not_hold() -> None:
    """0.02, though no decision flips."""
    agreement = compare(logits(0.22), logits(0.2), make_manifest())
    assert (agreement.flips, agreement.holds) == (0, False)


def test_a_flip_counts_only_where_the_reference_was_clear() -> None:
    """At a threshold of 0.5 for six labels: 0.49 -> 0.51 flips, 0.498 -> 0.502 does not."""
    assert compare(logits(0.51), logits(0.49), make_manifest()).flips == 6
    assert compare(logits(0.502), logits(0.498), make_manifest()).flips == 0


def test_every_operating_point_counts() -> None:
    """A flip at a threshold that is not the first one; unknown thresholds are left out."""
    points = {"rule_out": (0.1,) * 6, "balanced": (None,) * 6, "rule_in": (0.8,) * 6}
    manifest = make_manifest(operating_points=points)
    assert compare(logits(0.11), logits(0.09), manifest).flips == 6
    assert compare(logits(0.81), logits(0.79), manifest).flips == 6


def test_the_calibration_of_the_manifest_is_applied() -> None:
    """At a temperature of 4 logits 0 and 0.4 are 0.1 apart."""
    manifest = make_manifest(temperatures=(4.0,) * 6)
    zero = np.zeros((1, 6), np.float32)
    found = compare(zero + np.float32(0.4), zero, manifest)
    assert found.max_probability_difference == pytest.approx(1 / (1 + math.exp(-0.1)) - 0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_never_holds(bad: float) -> None:
    """Nor do logits of another shape, nor no slices at all."""
    expected = logits(0.2, 0.3)
    found = expected.copy()
    found[1, 5] = bad
    assert not compare(found, expected, make_manifest()).holds
    assert not compare(expected[:1], expected, make_manifest()).holds
    assert not compare(expected[:0], expected[:0], make_manifest()).holds


def test_the_manifest_is_asked_by_engine_and_precision() -> None:
    """Another engine's bf16 says nothing of this one's."""
    entry = {"max_probability_difference": 0.001, "flips": 0, "slices": 40}
    manifest = make_manifest(precisions={"native-bf16": entry})
    assert measured(manifest, "native", "bf16") == Agreement(0.001, 0, 40)
    assert measured(manifest, "cuda", "bf16") is None
