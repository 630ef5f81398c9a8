"""A tiny labelled set in memory: 256-pixel slices with a bright patch where a label is positive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from model_build.config import Recipe
from model_build.slice_set import SliceSet
from service.types import LABELS

SIZE = 256

RECIPE = Recipe(
    name="test",
    seed=5,
    phantom_series=0,
    size=SIZE,
    batch=4,
    micro_batch=2,
    learning_rate=1e-3,
    warmup_share=0.1,
    window_passes=(16, 8),
    map_weight=1.0,
    sequence_passes=12,
    head_epochs=16,
    joint_passes=12,
    mixed_precision=False,
    split=(0.5, 0.25, 0.25),
    checkpoint_steps=2,
)


def parts(count: int = 16) -> dict[str, npt.NDArray[np.intp]]:
    """Twelve slices of the set to train on, the rest to validate with."""
    return {"train": np.arange(12), "val": np.arange(12, count)}


def slice_set(count: int = 16, seed: int = 0, masks: Path | None = None) -> SliceSet:
    """Every second slice is positive for one subtype: a patch of 60 HU at that subtype's place.

    Four slices make a series. With `masks` the patches are written there as lesion masks.
    """
    rng = np.random.default_rng(seed)
    voxels = rng.normal(30, 4, (count, SIZE, SIZE)).astype(np.int16)
    labels = np.zeros((count, len(LABELS)), dtype=np.uint8)
    for row in range(0, count, 2):
        subtype = (row // 2) % 5
        labels[row, [subtype, 5]] = 1
        corner = 20 + 40 * subtype
        patch = (slice(corner, corner + 40), slice(corner, corner + 40))
        voxels[row][patch] += 30
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
            mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
            mask[patch] = subtype + 1
            Image.fromarray(mask).save(masks / f"slice{row}.png")
    return SliceSet(
        voxels=voxels,
        windows=np.tile(np.array([40.0, 80.0], dtype=np.float32), (count, 1)),
        labels=labels,
        patients=tuple(f"patient{row // 2}" for row in range(count)),
        usable=np.ones(count, dtype=np.bool_),
        refused={},
        names=tuple(f"slice{row}" for row in range(count)),
        series=tuple(f"series{row // 4}" for row in range(count)),
        order=np.tile(np.arange(4, dtype=np.float32), count // 4 + 1)[:count],
        masks=None if masks is None else str(masks),
    )
