"""Train: the staged training of the Conv-LSTM (paper: window, train the CNN, train with the LSTM).

slices -> stage 2  SliceCnn, one random window per slice and step
       -> stage 3a LSTM and head on stored features of ten windows, trunk frozen
       -> stage 3b all together at a third of the rate, stage-2 head as auxiliary loss
Every stage is resumable: randomness depends on (seed, stage, step) only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_build import checkpoint, loop
from model_build.checkpoint import State
from model_build.config import Recipe
from model_build.dataset import Epochs, SliceSet, StepSampler, loader
from model_build.distributed import Place
from model_build.inference import features_of, settle_batch_norm
from model_build.stages import JointStage, SequenceStage, WindowStage
from model_build.weights import sample_weights
from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn
from service.model.trunk import FEATURES

STAGES = ("window", "sequence", "joint", "done")
SETTLE_SLICES = 256
SEQUENCE_BATCH = 64


def epochs_of(source: SliceSet, train: npt.NDArray[np.intp], recipe: Recipe) -> Epochs:
    """The epochs of the training split."""
    positive = source.labels[train].max(axis=1) > 0
    return Epochs(train, positive, recipe.negatives_per_positive)


def weights_of(source: SliceSet, epochs: Epochs, recipe: Recipe) -> npt.NDArray[np.float32]:
    """Sample weight of every slice, (N,), from the label counts of one epoch."""
    labels = source.labels[epochs.order((recipe.seed,))]
    return sample_weights(source.labels, labels, recipe.weight_cap)


class TrainingStopped(Exception):
    """The run was told to stop early, right after a checkpoint."""


class Trainer:
    """One run: recipe, data, networks and the folder that holds its state."""

    def __init__(
        self,
        recipe: Recipe,
        source: SliceSet,
        train: npt.NDArray[np.intp],
        folder: Path,
        place: Place,
        *,
        progress: bool = True,
        stop_after: int | None = None,
    ) -> None:
        """Prepare a run; `stop_after` steps of a stage end it early (tests of resuming)."""
        torch.manual_seed(recipe.seed)
        self.recipe, self.source, self.train_indices = recipe, source, train
        self.folder, self.place, self.progress = folder, place, progress and place.is_first
        self.stop_after = stop_after
        self._clock = time.monotonic()
        self.cnn = SliceCnn(recipe.size).to(memory_format=torch.channels_last)
        self.network = ConvLstm(recipe.size, window_head=True).to(memory_format=torch.channels_last)
        self.labels = torch.from_numpy(source.labels.astype(np.float32))
        self.epochs = epochs_of(source, train, recipe)
        self.weights = torch.from_numpy(weights_of(source, self.epochs, recipe))
        folder.mkdir(parents=True, exist_ok=True)
        self.state = checkpoint.read(folder) or State(stage=STAGES[0])
        self._restore()

    def run(self) -> ConvLstm:
        """Train every stage that is not done yet; returns the network in evaluation mode."""
        stages: dict[str, Callable[[], None]] = {
            "window": self._window,
            "sequence": self._sequence,
            "joint": self._joint,
        }
        while self.state.stage != "done":
            name = self.state.stage
            self._clock = time.monotonic()
            stages[name]()
            self.place.barrier()
            self._account()
            self.state.stage = STAGES[STAGES.index(name) + 1]
            self.state.step, self.state.optimizer = 0, None
            self._write()
        return self.network.to(self.place.device).eval()

    def _window(self) -> None:
        self.cnn.to(self.place.device)
        cycles = tuple(passes // self.recipe.batch for passes in self.recipe.window_passes)
        stage = WindowStage(self.cnn)
        self._loop(stage, "window", cycles, self.recipe.learning_rate, self._windowed)
        self._adopt()
        chosen = self._every(SETTLE_SLICES)
        settle_batch_norm(self.network, self.source, chosen, self.place.device)

    def _sequence(self) -> None:
        # The trunk is frozen, so one epoch's slices go through it once, without augmentation.
        chosen = self.epochs.order((self.recipe.seed,))
        mine = np.arange(len(chosen))[self.place.rank :: self.place.world]
        features = torch.zeros(len(chosen), self.network.windows.count, FEATURES)
        features[mine] = features_of(
            self.network,
            self.source,
            chosen[mine],
            self.place.device,
            mixed_precision=self.recipe.mixed_precision,
            progress=self.progress,
        )
        features = self.place.summed(features)
        per_epoch = max(1, len(chosen) // SEQUENCE_BATCH)
        labels, weights = self.labels[chosen], self.weights[chosen]

        def batches(first: int, steps: int) -> Iterator[tuple[Tensor, ...]]:
            rows = Epochs(np.arange(len(features)), labels[:, -1].numpy() > 0)
            seed = self._seed("sequence")
            for keys in StepSampler(rows, SEQUENCE_BATCH, range(first, steps), seed):
                picked = torch.tensor([row for _, _, row in keys])
                yield features[picked], labels[picked], weights[picked]

        cycles = (self.recipe.head_epochs * per_epoch,)
        stage = SequenceStage(self.network)
        self._loop(stage, "sequence", cycles, self.recipe.learning_rate, batches)

    def _joint(self) -> None:
        self.network.to(self.place.device)
        stage = JointStage(self.network, self.recipe.auxiliary_weight)
        cycles = (self.recipe.joint_passes // self.recipe.batch,)
        self._loop(stage, "joint", cycles, self.recipe.learning_rate / 3, self._jointly)

    def _loop(
        self,
        stage: nn.Module,
        name: str,
        cycles: tuple[int, ...],
        learning_rate: float,
        batches: Callable[[int, int], Iterator[tuple[Tensor, ...]]],
    ) -> None:
        optimizer = loop.make_optimizer(stage, learning_rate, self.recipe.l2)
        if self.state.optimizer is not None:
            optimizer.load_state_dict(self.state.optimizer)
        plan = loop.Plan(
            name,
            self.state.step,
            cycles,
            learning_rate,
            self.recipe.checkpoint_steps,
            self._on_checkpoint,
            self._on_loss,
            self.progress,
        )
        loop.run(stage, batches(plan.first, plan.steps), optimizer, plan, self.recipe, self.place)

    def _windowed(self, first: int, steps: int) -> Iterator[tuple[Tensor, ...]]:
        """Inputs of stage 2: slices, windows and one random window index per slice."""
        count, place = self.cnn.windows.count, self.place
        slices = self._slices("window", first, steps)
        for step, (index, voxels, windows) in enumerate(slices, first):
            # Drawn for the whole batch, so that the split over processes changes nothing.
            rng = np.random.default_rng([*self._seed("window"), step])
            whole = rng.integers(0, count, len(index) * place.world)
            chosen = torch.from_numpy(whole[place.rank :: place.world])
            yield voxels, windows, chosen, self.labels[index], self.weights[index]

    def _jointly(self, first: int, steps: int) -> Iterator[tuple[Tensor, ...]]:
        for index, voxels, windows in self._slices("joint", first, steps):
            yield voxels, windows, self.labels[index], self.weights[index]

    def _slices(
        self, stage: str, first: int, steps: int
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        seed, batch = self._seed(stage), self.recipe.batch
        place = (self.place.rank, self.place.world)
        sampler = StepSampler(self.epochs, batch, range(first, steps), seed, place)
        workers = 12 if self.place.device.type == "cuda" else 0
        return iter(loader(self.source, sampler, seed, workers))

    def _adopt(self) -> None:
        """Hand trunk and head of stage 2 to the network of stage 3."""
        self.network.trunk.load_state_dict(self.cnn.trunk.state_dict())
        if self.network.window_head is not None:
            self.network.window_head.load_state_dict(self.cnn.head.state_dict())

    def _every(self, count: int) -> npt.NDArray[np.intp]:
        """At most `count` training slices, evenly spread."""
        step = max(1, len(self.train_indices) // count)
        return self.train_indices[::step][:count]

    def _seed(self, stage: str) -> tuple[int, int]:
        return self.recipe.seed, STAGES.index(stage)

    def _restore(self) -> None:
        for name, network in (("slice_cnn", self.cnn), ("conv_lstm", self.network)):
            if name in self.state.networks:
                network.load_state_dict(self.state.networks[name])

    def _account(self) -> None:
        """Add the time since the last call; each part of an interrupted run counts."""
        now, name = time.monotonic(), self.state.stage
        spent = self.state.seconds.get(name, 0.0) + now - self._clock
        self.state.seconds[name], self._clock = round(spent, 1), now

    def _on_checkpoint(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        self.state.step, self.state.optimizer = step, optimizer.state_dict()
        self._account()
        self._write()
        if self.stop_after is not None and step >= self.stop_after:
            raise TrainingStopped

    def _on_loss(self, step: int, loss: float, seconds: float) -> None:
        if not self.place.is_first:
            return
        row = {"stage": self.state.stage, "step": step, "loss": loss, "seconds": round(seconds, 1)}
        with (self.folder / "losses.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def _write(self) -> None:
        networks = {"slice_cnn": self.cnn, "conv_lstm": self.network}
        self.state.networks = {name: net.state_dict() for name, net in networks.items()}
        if self.place.is_first:
            checkpoint.write(self.state, self.folder)
