"""Dataset: a labelled DICOM folder as decoded Hounsfield slices, by the code that serves.

folder/dicom/*.dcm -> service.dicom.decode -> cache (int16 memory map) -> batches
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model_build import augmentation, masks, neighbours
from model_build.slice_set import SliceSet
from model_build.strengths import STRENGTHS

_Batch = TypeVar("_Batch")
Batch = tuple[Tensor, Tensor, Tensor]  # positions (B,), voxels (B, S, S), windows (B, 2)


@dataclass(frozen=True, slots=True)
class View:
    """How training looks at slices.

    Attributes:
        seed: Of the augmentation; None leaves every slice as it is.
        strength: Name of the augmentation's ranges.
        masked: Whether the coverage map of the lesion mask comes with each slice.
        context: Whether voxels are (3, S, S): the slice between its neighbours in the series.
    """

    seed: tuple[int, ...] | None = None
    strength: str = "standard"
    masked: bool = False
    context: bool = False


class Slices(Dataset[tuple[Any, ...]]):
    """Items by (step, place in the batch, index): index, voxels, window and, if asked, coverage."""

    def __init__(self, source: SliceSet, view: View) -> None:
        self._source, self._view = source, view
        self._neighbours = neighbours.of(source) if view.context else None

    def __getitem__(self, key: tuple[int, int, int]) -> tuple[Any, ...]:
        """One slice: (S, S) or (3, S, S) voxels in HU, (2,) window and (6, S/8, S/8) coverage."""
        step, place, index = key
        read, window = self._source.read, self._source.windows[index]
        if self._neighbours is None:
            voxels = read(index)
        else:
            voxels = np.stack([read(row) for row in self._neighbours[index]])
        chosen = augmentation.Draw()
        if self._view.seed is None:
            parts: tuple[Any, ...] = index, torch.from_numpy(voxels), torch.from_numpy(window)
        else:
            rng = np.random.default_rng([*self._view.seed, step, place])
            chosen = augmentation.draw(rng, STRENGTHS[self._view.strength])
            parts = index, *augmentation.apply(chosen, voxels, window)
        if not self._view.masked:
            return parts
        return *parts, masks.coverage_of(self._source, index, chosen)


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
    """Micro batches of the given steps, the same whatever was run before or beside them.

    Each epoch is seeded by (seed, epoch). A batch falls into `parts` micro batches; every process
    takes its own of them, so neither their number nor who runs them changes what is learnt.
    """

    def __init__(
        self,
        epochs: Epochs,
        batch: int,
        steps: range,
        seed: Sequence[int],
        parts: int = 1,
        place: tuple[int, int] = (0, 1),
    ) -> None:
        self._epochs, self._batch, self._steps, self._seed = epochs, batch, steps, seed
        self._parts = range(place[0], parts, place[1])
        self._every = parts

    def __len__(self) -> int:
        """Number of micro batches of this process."""
        return len(self._steps) * len(self._parts)

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        """Keys of this process's micro batches, step after step."""
        size = min(self._batch, len(self._epochs))
        per_epoch = len(self._epochs) // size
        epoch, order = -1, self._epochs.indices
        for step in self._steps:
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                order = self._epochs.order([*self._seed, epoch])
            start = (step % per_epoch) * size
            chosen = order[start : start + size]
            for part in self._parts:
                places = range(part, size, self._every)
                yield [(step, place, int(chosen[place])) for place in places]


def loader(
    source: SliceSet,
    sampler: Iterable[list[tuple[int, int, int]]],
    view: View,
    workers: int,
) -> DataLoader[Any]:
    """Batches of (index, voxels, window[, coverage]) in the order of the sampler."""
    return DataLoader(
        Slices(source, view),
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=False,
    )


def in_order(indices: npt.NDArray[np.intp], batch: int) -> list[list[tuple[int, int, int]]]:
    """Every index once, in order; its place in the whole list seeds its augmentation."""
    return [
        [
            (0, start + place, int(index))
            for place, index in enumerate(indices[start : start + batch])
        ]
        for start in range(0, len(indices), batch)
    ]


def ahead(batches: Iterator[_Batch], depth: int = 3) -> Iterator[_Batch]:
    """The same batches in the same order, the next few prepared by a thread meanwhile.

    Reading and augmenting take uneven times; without a store of batches, processes that share
    every step wait for the slower of them each time.
    """
    with ThreadPoolExecutor(1) as pool:
        under_way = deque(pool.submit(next, batches, None) for _ in range(depth))
        while (found := under_way.popleft().result()) is not None:
            under_way.append(pool.submit(next, batches, None))
            yield found
