"""Parity: how far the answers of an engine are from those of the reference.

Precision is a promise about decisions: a probability may differ from float32 by 0.005 at most, and
no decision may flip unless the reference itself lies within 0.005 of the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.artifact import Manifest, calibrated

LARGEST_DIFFERENCE = 0.005  # of a probability


@dataclass(frozen=True, slots=True)
class Agreement:
    """Largest difference of a probability, decisions that flipped, slices compared."""

    max_probability_difference: float
    flips: int
    slices: int

    @property
    def holds(self) -> bool:
        """Whether the promise was kept, on at least one slice."""
        kept = self.max_probability_difference <= LARGEST_DIFFERENCE and self.flips == 0
        return kept and self.slices > 0


def compare(
    found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32], manifest: Manifest
) -> Agreement:
    """Compare logits (N, 6) of an engine with those of the reference, as calibrated by a manifest.

    Logits that are missing or not finite differ by infinity.
    """
    count = len(expected)
    if found.shape != expected.shape or not np.isfinite(found).all():
        return Agreement(math.inf, count, count)
    p, reference = (
        calibrated(logits, manifest.temperatures, manifest.biases) for logits in (found, expected)
    )
    worst = float(np.abs(p - reference).max()) if count else 0.0
    flips = 0
    for label, threshold in _thresholds(manifest):
        clear = np.abs(reference[:, label] - threshold) > LARGEST_DIFFERENCE
        differ = (p[:, label] >= threshold) != (reference[:, label] >= threshold)
        flips += int((clear & differ).sum())
    return Agreement(worst, flips, count)


def measured(manifest: Manifest, engine: str, precision: str) -> Agreement | None:
    """What the build of the model measured of this engine and precision; None if nothing.

    The key is engine and precision, `native-bf16`: two engines round differently.
    """
    entry: Mapping[str, Any] | None = manifest.precisions.get(f"{engine}-{precision}")
    return None if entry is None else Agreement(**entry)


def _thresholds(manifest: Manifest) -> Iterator[tuple[int, float]]:
    """Every threshold of the manifest with the index of its label."""
    for row in (manifest.thresholds, *manifest.operating_points.values()):
        for label, threshold in enumerate(row):
            if threshold is not None:
                yield label, threshold
