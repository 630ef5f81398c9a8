"""Dataset: a labelled DICOM folder as decoded Hounsfield slices, by the code that serves.

folder/dicom/*.dcm -> service.dicom.decode -> cache (int16 memory map) -> batches
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model_build import augmentation

Batch = tuple[Tensor, Tensor, Tensor]  # positions (B,), voxels (B, S, S), windows (B, 2)


@dataclass(frozen=True, slots=True)
class SliceSet:
    """Decoded slices: voxels int16 (N, S, S) in HU, windows float32 (N, 2), labels uint8 (N, 6)."""

    voxels: npt.NDArray[np.int16]
    windows: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    patients: tuple[str, ...]
    usable: npt.NDArray[np.bool_]  # False: a lesion below the label rule, neither class
    refused: dict[str, int]  # gate code -> slices left out

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.voxels)


class Slices(Dataset[tuple[int, Tensor, Tensor]]):
    """Items by (step, place in the batch, index); augmented when a seed is given."""

    def __init__(self, source: SliceSet, seed: Sequence[int] | None) -> None:
        self._source, self._seed = source, seed

    def __getitem__(self, key: tuple[int, int, int]) -> tuple[int, Tensor, Tensor]:
        """Index, (S, S) voxels and (2,) window of one slice."""
        step, place, index = key
        voxels, window = self._source.voxels[index], self._source.windows[index]
        if self._seed is None:
            return index, torch.from_numpy(np.array(voxels)), torch.from_numpy(window)
        rng = np.random.default_rng([*self._seed, step, place])
        changed, jittered = augmentation.apply(augmentation.draw(rng), voxels, window)
        return index, torch.from_numpy(changed), torch.from_numpy(jittered)


@dataclass(frozen=True, slots=True)
class Epochs:
    """What an epoch is made of: all positive slices and a fresh draw of the negative ones.

    At natural prevalence four of five slices show nothing; the paper's own subset is about half
    positive. `negatives_per_positive` None takes every slice in every epoch.
    """

    indices: npt.NDArray[np.intp]
    positive: npt.NDArray[np.bool_]  # of each index
    negatives_per_positive: float | None = None

    def __len__(self) -> int:
        """Slices in one epoch."""
        positives = int(self.positive.sum())
        negatives = len(self.indices) - positives
        if self.negatives_per_positive is None or not positives:
            return len(self.indices)
        return positives + min(negatives, round(positives * self.negatives_per_positive))

    def order(self, seed: Sequence[int]) -> npt.NDArray[np.intp]:
        """The slices of one epoch in the order of training; the same for the same seed."""
        rng = np.random.default_rng(seed)
        shuffled = rng.permutation(len(self.indices))
        positives = shuffled[self.positive[shuffled]]
        negatives = shuffled[~self.positive[shuffled]][: len(self) - len(positives)]
        chosen = rng.permutation(np.concatenate([positives, negatives]))
        ordered: npt.NDArray[np.intp] = self.indices[chosen]
        return ordered


class StepSampler:
    """Batches from `first` to `last` step, the same whatever was run before or beside it.

    Each epoch is seeded by (seed, epoch); every process takes its part of a batch.
    """

    def __init__(
        self,
        epochs: Epochs,
        batch: int,
        steps: range,
        seed: Sequence[int],
        place: tuple[int, int] = (0, 1),
    ) -> None:
        self._epochs, self._batch, self._steps, self._seed = epochs, batch, steps, seed
        self._rank, self._world = place

    def __len__(self) -> int:
        """Number of steps."""
        return len(self._steps)

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        """Keys of one process's part of each step's batch."""
        size = min(self._batch, len(self._epochs))
        per_epoch = len(self._epochs) // size
        epoch, order = -1, self._epochs.indices
        for step in self._steps:
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                order = self._epochs.order([*self._seed, epoch])
            start = (step % per_epoch) * size
            chosen = order[start : start + size]
            yield [
                (step, place, int(chosen[place])) for place in range(self._rank, size, self._world)
            ]


def loader(
    source: SliceSet,
    sampler: Iterable[list[tuple[int, int, int]]],
    seed: Sequence[int] | None,
    workers: int,
) -> DataLoader[Any]:
    """Batches of (index, voxels, window) in the order of the sampler."""
    return DataLoader(
        Slices(source, seed),
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=False,
    )


def in_order(indices: npt.NDArray[np.intp], batch: int) -> list[list[tuple[int, int, int]]]:
    """Every index once, in order, for inference."""
    return [
        [(0, place, int(index)) for place, index in enumerate(indices[start : start + batch])]
        for start in range(0, len(indices), batch)
    ]
