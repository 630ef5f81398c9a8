"""Training: what every stage of a run shares: recipe, slices, labels, weights and their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_build.config import Recipe
from model_build.dataset import Epochs, StepSampler, View, ahead, loader
from model_build.distributed import Place
from model_build.slice_set import SliceSet
from model_build.weights import sample_weights

CUDA_WORKERS = 12


def _nothing() -> None:
    """Behind a stage that leaves nothing to do."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a plan.

    Attributes:
        loss: The module that is trained; called with a micro batch it gives the loss.
        cycles: Steps of each cycle of the learning rate.
        learning_rate: Peak of the first cycle.
        batches: Micro batches of this process for a range of steps.
        validate: Mean loss on val, to choose the best weights by; None where there is none.
        finish: What the stage leaves to do once its best weights are loaded.
        parts: Micro batches per step over all processes.
        validate_every: Steps between looks at val; 0 leaves it to the recipe.
    """

    loss: nn.Module
    cycles: tuple[int, ...]
    learning_rate: float
    batches: Callable[[range], Iterator[tuple[Tensor, ...]]]
    parts: int
    validate: Callable[[], float] | None = None
    finish: Callable[[], None] = _nothing
    validate_every: int = 0


class Plan(Protocol):
    """The stages of a network, in order; `networks` is all that a checkpoint must keep."""

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Every network by name."""

    @property
    def result(self) -> nn.Module:
        """The network that the run is for."""

    def stage(self, name: str) -> Stage:
        """Prepare a stage; the ones before it are done."""


@dataclass(slots=True)
class Training:
    """Recipe, data and place of one run; weights and epochs follow from them."""

    recipe: Recipe
    source: SliceSet
    parts: Mapping[str, npt.NDArray[np.intp]]
    place: Place
    progress: bool = True
    folder: Path | None = None  # of the run, for what a stage leaves behind
    epochs: Epochs = field(init=False)
    labels: Tensor = field(init=False)
    weights: Tensor = field(init=False)

    def __post_init__(self) -> None:
        """Count labels and weigh slices."""
        recipe, labels = self.recipe, self.source.labels
        train = self.parts["train"]
        positive = labels[train].max(axis=1) > 0
        self.epochs = Epochs(train, positive, recipe.negatives_per_positive)
        self.labels = torch.from_numpy(labels.astype(np.float32))
        epoch = labels[self.epochs.order((recipe.seed,))]
        self.weights = torch.from_numpy(sample_weights(labels, epoch, recipe.weight_cap))

    def share_of(self, parts: int) -> int:
        """Micro batches per step of this process.

        Raises:
            ValueError: the micro batches of a step cannot be shared evenly.
        """
        if parts % self.place.world:
            raise ValueError("the micro batches of a step do not divide among the processes")
        return parts // self.place.world

    def steps_of(self, passes: tuple[int, ...]) -> tuple[int, ...]:
        """Steps per cycle for passes per cycle."""
        return tuple(count // self.recipe.batch for count in passes)

    def slices(self, steps: range, view: View) -> Iterator[Any]:
        """Micro batches of this process: index, voxels, window[, coverage]."""
        place, seed = (self.place.rank, self.place.world), view.seed or (self.recipe.seed,)
        recipe = self.recipe
        sampler = StepSampler(self.epochs, recipe.batch, steps, seed, recipe.parts, place)
        batches = iter(loader(self.source, sampler, view, self.workers))
        return batches if self.workers else ahead(batches)

    def slice(self, row: int) -> tuple[Tensor, Tensor]:
        """One slice as it is, on the device: (1, S, S) int16 in HU and (1, 2) window."""
        device = self.place.device
        voxels = torch.from_numpy(self.source.read(row))[None].to(device)
        return voxels, torch.from_numpy(self.source.windows[row])[None].to(device)

    @property
    def workers(self) -> int:
        """Loader processes: a CPU that trains has no core to spare."""
        return CUDA_WORKERS if self.place.device.type == "cuda" else 0

    def validation(self) -> npt.NDArray[np.intp]:
        """Slices of val that training looks at: evenly spread, no more than the recipe says."""
        rows = self.parts["val"]
        step = max(1, -(-len(rows) // self.recipe.validation_slices))
        return rows[::step]

    def mean_over(self, rows: npt.NDArray[np.intp], loss: Callable[[Any], float]) -> float:
        """Mean of a per-slice loss over rows; every process computes its own share of them."""
        mine = rows[self.place.rank :: self.place.world]
        total = torch.tensor([sum(loss(row) for row in mine), float(len(mine))])
        summed = self.place.summed(total)
        return float(summed[0] / summed[1])
