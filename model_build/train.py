"""Train: runs the stages of a plan, resumable, best weights kept, curves written.

recipe -> plan (`paper_plan` for the Conv-LSTM, `whole_plan` for every other network)
       -> per stage: loop -> checkpoint now and then -> best weights on val -> finish
Randomness depends on (seed, stage, step) only, so a killed run resumes to the same weights.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from model_build import checkpoint, loop
from model_build.checkpoint import Best, State
from model_build.config import Recipe
from model_build.curves import Curves
from model_build.distributed import Place
from model_build.paper_plan import PaperPlan
from model_build.slice_set import SliceSet
from model_build.training import Plan, Stage, Training
from model_build.whole_plan import WholePlan

DONE = "done"


class TrainingStopped(Exception):
    """The run was told to stop early, right after a checkpoint."""


def plan_of(training: Training) -> Plan:
    """The stages of the recipe's network."""
    return PaperPlan(training) if training.recipe.network == "conv_lstm" else WholePlan(training)


class Trainer:
    """One run: recipe, data, networks and the folder that holds its state."""

    def __init__(
        self,
        recipe: Recipe,
        source: SliceSet,
        parts: Mapping[str, npt.NDArray[np.intp]],
        folder: Path,
        place: Place,
        *,
        progress: bool = True,
        stop_after: int | None = None,
    ) -> None:
        """Prepare a run; `stop_after` steps of a stage end it early (tests of resuming).

        Args:
            recipe: what to train and how.
            source: decoded slices.
            parts: indices of train and val; nothing else is looked at.
            folder: of the run, continued where it stands.
            place: of this process.
            progress: show bars.
            stop_after: see above.
        """
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder, self.place = recipe, folder, place
        self.progress, self.stop_after = progress and place.is_first, stop_after
        self.training = Training(recipe, source, parts, place, self.progress, folder)
        self.training.share_of(recipe.parts)  # refused here, not behind the first stage
        self.plan = plan_of(self.training)
        self.state = checkpoint.read(folder) or State(stage=self.plan.stages[0])
        self._load(self.state.networks)
        self.curves = Curves(folder) if place.is_first else None
        self._clock = time.monotonic()

    def run(self) -> nn.Module:
        """Train every stage that is not done yet; returns the network in evaluation mode."""
        following = dict(zip(self.plan.stages, (*self.plan.stages[1:], DONE), strict=True))
        while self.state.stage != DONE:
            self._clock = time.monotonic()
            self._run(self.plan.stage(self.state.stage))
            self.place.barrier()
            self._account()
            self.state.stage = following[self.state.stage]
            self.state.step, self.state.optimizer, self.state.best = 0, None, None
            self._write()
        if self.curves is not None:
            self.curves.close()
        return self.plan.result.to(self.place.device).eval()

    def _run(self, stage: Stage) -> None:
        if sum(stage.cycles):
            optimizer = loop.make_optimizer(stage.loss, stage.learning_rate, self.recipe.l2)
            if self.state.optimizer is not None:
                optimizer.load_state_dict(self.state.optimizer)
            plan = self._loop_plan(stage)
            batches = stage.batches(range(plan.first, plan.steps))
            loop.run(stage.loss, batches, optimizer, plan, self.recipe, self.place)
        if self.state.best is not None:
            self._load(self.state.best.networks)
        stage.finish()

    def _loop_plan(self, stage: Stage) -> loop.Plan:
        return loop.Plan(
            name=self.state.stage,
            first=self.state.step,
            cycles=stage.cycles,
            learning_rate=stage.learning_rate,
            parts=self.training.share_of(stage.parts),
            checkpoint_every=self.recipe.checkpoint_steps,
            on_checkpoint=self._on_checkpoint,
            on_loss=self._on_loss,
            on_validation=lambda step: self._validate(stage, step),
            validate_every=stage.validate_every or self.recipe.validation_steps,
            progress=self.progress,
        )

    def _validate(self, stage: Stage, step: int) -> None:
        """Look at val; weights that do better than all before them are kept."""
        if stage.validate is None:
            return
        stage.loss.eval()
        value = stage.validate()
        if self.curves is not None:
            self.curves.validation(self.state.stage, step, {"loss": value})
        if self.state.best is None or value < self.state.best.loss:
            copies = {
                name: {key: tensor.detach().clone() for key, tensor in net.state_dict().items()}
                for name, net in self.plan.networks.items()
            }
            self.state.best = Best(value, step, copies)

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
        if self.curves is not None:
            self.curves.loss(self.state.stage, step, loss, seconds)

    def _load(self, weights: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
        for name, values in weights.items():
            self.plan.networks[name].load_state_dict(values)

    def _write(self) -> None:
        self.state.networks = {name: net.state_dict() for name, net in self.plan.networks.items()}
        if self.place.is_first:
            checkpoint.write(self.state, self.folder)
