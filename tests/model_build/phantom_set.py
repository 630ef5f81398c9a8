"""A tiny labelled set in memory: 256-pixel slices with a bright patch where a label is positive."""

from __future__ import annotations

import numpy as np

from model_build.config import Recipe
from model_build.dataset import SliceSet
from service.types import LABELS

SIZE = 256

RECIPE = Recipe(
    name="test",
    seed=5,
    phantom_series=0,
    size=SIZE,
    batch=4,
    learning_rate=1e-3,
    warmup_share=0.1,
    window_passes=(16, 8),
    head_epochs=2,
    joint_passes=16,
    mixed_precision=False,
    split=(0.5, 0.25, 0.25),
    checkpoint_steps=2,
)


def slice_set(count: int = 16, seed: int = 0) -> SliceSet:
    """Every second slice is positive for one subtype: a patch of 60 HU at that subtype's place."""
    rng = np.random.default_rng(seed)
    voxels = rng.normal(30, 4, (count, SIZE, SIZE)).astype(np.int16)
    labels = np.zeros((count, len(LABELS)), dtype=np.uint8)
    for row in range(0, count, 2):
        subtype = (row // 2) % 5
        labels[row, [subtype, 5]] = 1
        corner = 20 + 40 * subtype
        voxels[row, corner : corner + 40, corner : corner + 40] += 30
    return SliceSet(
        voxels=voxels,
        windows=np.tile(np.array([40.0, 80.0], dtype=np.float32), (count, 1)),
        labels=labels,
        patients=tuple(f"patient{row // 2}" for row in range(count)),
        usable=np.ones(count, dtype=np.bool_),
        refused={},
    )
