"""WholePlan: every network but the Conv-LSTM, trained in one piece, then its series part if any.

slices -> whole   the network end to end on slices (with neighbours where it takes them)
       -> series  only window_series: bi-GRU over stored embeddings of whole series
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from model_build import batch_norm
from model_build.dataset import View, in_order, loader
from model_build.series_stage import SeriesData, SeriesStage, store_series
from model_build.stages import WholeStage
from model_build.training import Stage, Training
from service.model import registry

SERIES_BATCH = 8
SETTLE_SLICES = 256
VALIDATION_BATCH = 8


class WholePlan:
    """One stage for the network; a second one for a network that reads whole series."""

    def __init__(self, training: Training) -> None:
        self.training, recipe = training, training.recipe
        network = registry.NETWORKS[recipe.network](**recipe.network_config)
        self.network = cast(nn.Module, network.to(memory_format=torch.channels_last))
        self.networks: Mapping[str, nn.Module] = {recipe.network: self.network}
        self.stages: tuple[str, ...] = ("whole", "series") if recipe.series_epochs else ("whole",)
        config = getattr(self.network, "config", {})
        self.context = config.get("context", 1) > 1

    @property
    def result(self) -> nn.Module:
        """The network."""
        return self.network

    def stage(self, name: str) -> Stage:
        """Prepare a stage by its name."""
        return self._whole() if name == "whole" else self._series()

    def _whole(self) -> Stage:
        training, recipe = self.training, self.training.recipe
        # Slices alone do not reach it, and DDP waits for every free weight.
        self._free_series(False)
        stage = WholeStage(self.network, recipe.any_weight).to(training.place.device)
        cycles = training.steps_of(recipe.whole_passes)
        return Stage(stage, cycles, recipe.learning_rate, self._slices, recipe.parts, self._loss)

    def _slices(self, steps: range) -> Iterator[tuple[torch.Tensor, ...]]:
        training, recipe = self.training, self.training.recipe
        view = View((recipe.seed, 0), recipe.augmentation, context=self.context)
        for index, voxels, windows in training.slices(steps, view):
            yield voxels, windows, training.labels[index], training.weights[index]

    @torch.inference_mode()
    def _loss(self) -> float:
        """Log loss on val, batch norm settled before; every process computes its share."""
        training, device = self.training, self.training.place.device
        self._settle()
        rows = training.validation()
        mine = rows[training.place.rank :: training.place.world]
        keys = in_order(mine, VALIDATION_BATCH)
        total = torch.zeros(2)
        for index, voxels, windows in loader(
            training.source, keys, View(context=self.context), training.workers
        ):
            logits = self.network(voxels.to(device), windows.to(device)).float().cpu()
            each = F.binary_cross_entropy_with_logits(
                logits, training.labels[index], reduction="none"
            )
            total += torch.tensor([float(each.mean(dim=1).sum()), float(len(index))])
        summed = training.place.summed(total)
        return float(summed[0] / summed[1])

    def _settle(self) -> None:
        """Statistics of batch norm on training slices, the same ones in every process."""
        training, recipe = self.training, self.training.recipe
        if not batch_norm.norms_of(self.network):
            return
        train = training.parts["train"]
        keys = in_order(train[:: max(1, len(train) // SETTLE_SLICES)], recipe.micro_batch)
        view, device = View(context=self.context), training.place.device
        with batch_norm.settling(self.network):
            for _, voxels, windows in loader(training.source, keys, view, training.workers):
                if len(voxels) > 1:
                    self.network(voxels.to(device), windows.to(device))

    def _series(self) -> Stage:
        training, recipe = self.training, self.training.recipe
        train = store_series(self.network, training, training.parts["train"])
        val = store_series(self.network, training, training.parts["val"])
        self._free_series(True)
        stage = SeriesStage(self.network).to(training.place.device)
        steps = recipe.series_epochs * max(1, len(train) // SERIES_BATCH)

        def batches(steps: range) -> Iterator[tuple[torch.Tensor, ...]]:
            for step in steps:
                rng = np.random.default_rng([recipe.seed, 1, step])
                for _ in range(SERIES_BATCH // training.place.world):
                    yield train.item(int(rng.integers(len(train))))

        return Stage(
            stage,
            (steps,),
            recipe.learning_rate,
            batches,
            SERIES_BATCH,
            lambda: _mean_loss(stage, val),
        )

    def _free_series(self, free: bool) -> None:
        series = getattr(self.network, "series", None)
        if series is not None:
            series.requires_grad_(free)


@torch.inference_mode()
def _mean_loss(stage: SeriesStage, data: SeriesData) -> float:
    return float(np.mean([float(stage(*data.item(row))) for row in range(len(data))]))
