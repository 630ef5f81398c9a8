"""A tiny segmentation set in memory: grey slices with a bright square where there is blood."""

from __future__ import annotations

import numpy as np

from model_build.companions.segmentation_data import SegmentationSet

SIZE = 32


def blobs(patients: int = 6, each: int = 4, seed: int = 0) -> SegmentationSet:
    """Every second slice of a patient shows a square of one subtype, of the patient's own size."""
    rng = np.random.default_rng(seed)
    count = patients * each
    images = rng.normal(80, 10, (count, SIZE, SIZE))
    masks = np.zeros(images.shape, np.bool_)
    labels = np.zeros((count, 6), np.uint8)
    for row in range(0, count, 2):
        side = 6 + row // each
        top, left = rng.integers(0, SIZE - side, 2)
        masks[row, top : top + side, left : left + side] = True
        labels[row, [(row // 2) % 5, 5]] = 1
    images[masks] += 120
    return SegmentationSet(
        images=np.clip(images, 0, 255).astype(np.uint8),
        masks=masks,
        labels=labels,
        patients=tuple(f"patient{row // each}" for row in range(count)),
        names=tuple(f"slice{row}" for row in range(count)),
        source="blobs",
    )
