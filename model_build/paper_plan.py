"""PaperPlan: the staged training of the Conv-LSTM (paper: window, train the CNN, then the LSTM).

slices -> stage 2  window    SliceCnn, one random window per slice and step, lesion masks beside
       -> stage 3a sequence  dense layers, LSTM and heads on stored maps of all ten windows
       -> stage 3b joint     all together at a third of the rate, stage-2 head as auxiliary loss
Convolutions are 91 % of the work of a slice and 1 % of its weights: stage 3a trains the other 99 %
without paying for them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_build import ablation_heads, head_crop, stored_maps
from model_build.augmentation import GRID
from model_build.dataset import Epochs, StepSampler, View
from model_build.map_heads import MapHeads
from model_build.readout import start_from_maps
from model_build.stages import JointStage, SequenceStage, WindowStage
from model_build.training import Stage, Training
from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn
from service.model.trunk import Trunk
from service.model.windows import WINDOW_NAMES, apply_window

STAGES = ("window", "sequence", "joint")
SETTLE_SLICES, SETTLE_PASSES = 512, 2
SEQUENCE_BATCH = 64
READOUT_SLICES = 600
BRAIN = WINDOW_NAMES.index("brain")


class PaperPlan:
    """The three stages; the CNN of stage 2 hands its trunk and head to the network of stage 3."""

    stages = STAGES

    def __init__(self, training: Training) -> None:
        self.training, recipe = training, training.recipe
        self.cnn = SliceCnn(recipe.size).to(memory_format=torch.channels_last)
        self.network = ConvLstm(recipe.size, window_head=True, **recipe.network_config)
        self.network.to(memory_format=torch.channels_last)
        self.heads = MapHeads()
        self.networks: Mapping[str, nn.Module] = {
            "slice_cnn": self.cnn,
            "map_heads": self.heads,
            "conv_lstm": self.network,
        }

    @property
    def result(self) -> ConvLstm:
        """The Conv-LSTM."""
        return self.network

    @property
    def _masked(self) -> bool:
        """Whether lesion masks take part."""
        return self.training.recipe.map_weight > 0 and self.training.source.masks is not None

    @property
    def _odds(self) -> npt.NDArray[np.float64]:
        """How often stage 2 draws each window; they add up to 1."""
        count = self.cnn.windows.count
        odds = np.array(self.training.recipe.window_weights or (1.0,) * count)
        shares: npt.NDArray[np.float64] = odds / odds.sum()
        return shares

    def stage(self, name: str) -> Stage:
        """Prepare a stage by its name."""
        return {"window": self._window, "sequence": self._sequence, "joint": self._joint}[name]()

    def _window(self) -> Stage:
        training, recipe = self.training, self.training.recipe
        heads = self.heads if self._masked else None
        stage = WindowStage(self.cnn, heads, recipe.map_weight, recipe.head_crop)
        return Stage(
            stage.to(training.place.device),
            training.steps_of(recipe.window_passes),
            recipe.learning_rate,
            self._windowed,
            recipe.parts,
            self._window_loss,
            self._adopt,
        )

    def _sequence(self) -> Stage:
        training, recipe = self.training, self.training.recipe
        device = training.place.device
        self.network.to(device)
        seed = self._seed("sequence")
        chosen = stored_maps.choose(training, recipe.sequence_passes, seed)
        maps = stored_maps.compute(self.network, training, chosen, View(seed, recipe.augmentation))
        seen = training.validation()
        unseen = stored_maps.compute(self.network, training, seen, View())
        stage = SequenceStage(self.network, recipe.auxiliary_weight, recipe.head_dropout)

        def batches(steps: range) -> Iterator[tuple[Tensor, ...]]:
            rows = Epochs(np.arange(len(chosen)), training.source.labels[chosen, -1] > 0)
            place = (training.place.rank, training.place.world)
            for keys in StepSampler(rows, SEQUENCE_BATCH, steps, seed, place[1], place):
                picked = torch.tensor([row for _, _, row in keys])
                source = torch.from_numpy(chosen[picked.numpy()])
                yield maps[picked], training.labels[source], training.weights[source]

        @torch.inference_mode()
        def loss() -> float:
            features = self.network.trunk.dense(unseen.to(device).float())
            return _log_loss(self.network.sequence_logits(features), training.labels[seen])

        epoch = max(1, len(chosen) // SEQUENCE_BATCH)
        cycles, world = (recipe.head_epochs * epoch,), training.place.world
        rate = recipe.head_rate or recipe.learning_rate

        def leave() -> None:
            if training.place.is_first and training.folder is not None:
                ablation_heads.keep(
                    training.folder,
                    self.network,
                    maps,
                    training.labels[chosen],
                    training.weights[chosen],
                )

        return Stage(stage, cycles, rate, batches, world, loss, leave, validate_every=epoch)

    def _joint(self) -> Stage:
        training, recipe = self.training, self.training.recipe
        stage = JointStage(self.network, recipe.auxiliary_weight).to(training.place.device)
        cycles = training.steps_of((recipe.joint_passes,))
        rate, parts = recipe.learning_rate / 3, recipe.parts
        return Stage(stage, cycles, rate, self._jointly, parts, self._joint_loss)

    def _windowed(self, steps: range) -> Iterator[tuple[Tensor, ...]]:
        """Inputs of stage 2: slices, windows, one random window index per slice, coverage."""
        training, recipe = self.training, self.training.recipe
        view = View(self._seed("window"), recipe.augmentation, masked=True)
        place, count = training.place, self.cnn.windows.count
        slices = training.slices(steps, view)
        for step in steps:
            # Drawn for the whole batch, so that the split over processes changes nothing.
            rng = np.random.default_rng([*self._seed("window"), step])
            whole = rng.choice(count, recipe.batch, p=self._odds)
            for part in range(place.rank, recipe.parts, place.world):
                index, voxels, windows, coverage = next(slices)
                chosen = torch.from_numpy(whole[part :: recipe.parts][: len(index)])
                labels, weights = training.labels[index], training.weights[index]
                yield voxels, windows, chosen, labels, weights, coverage

    def _jointly(self, steps: range) -> Iterator[tuple[Tensor, ...]]:
        training = self.training
        view = View(self._seed("joint"), training.recipe.augmentation)
        for index, voxels, windows in training.slices(steps, view):
            yield voxels, windows, training.labels[index], training.weights[index]

    @torch.inference_mode()
    def _window_loss(self) -> float:
        """Log loss of stage 2 on val, every slice in one window, the windows in turn."""
        training = self.training
        self._settle(self.cnn.trunk)
        self.cnn.eval()

        def loss(row: int) -> float:
            voxels, default = training.slice(row)
            lower, width = self.cnn.windows.limits(default)
            t = row % self.cnn.windows.count
            logits = self.cnn.window_logits(voxels, lower[:, t], width[:, t])
            return _log_loss(logits, training.labels[row][None])

        return training.mean_over(training.validation(), loss)

    @torch.inference_mode()
    def _joint_loss(self) -> float:
        training = self.training
        self.network.eval()

        def loss(row: int) -> float:
            voxels, default = training.slice(row)
            return _log_loss(self.network(voxels, default), training.labels[row][None])

        return training.mean_over(training.validation(), loss)

    def _adopt(self) -> None:
        """Hand trunk and head of stage 2 to the network of stage 3."""
        training = self.training
        self.network.trunk.load_state_dict(self.cnn.trunk.state_dict())
        if self.network.window_head is not None:
            self.network.window_head.load_state_dict(self.cnn.head.state_dict())
        self._settle(self.network.to(training.place.device).trunk)
        if self._masked:
            self._start_readout()

    def _settle(self, trunk: Trunk) -> None:
        """Batch-norm statistics of a spread of training slices instead of the running mean."""
        train = self.training.parts["train"]
        chosen = train[:: max(1, len(train) // SETTLE_SLICES)][:SETTLE_SLICES]
        cells = self.training.recipe.size // GRID
        # The maps of air around the pieces follow the statistics too: the second pass has them.
        for _ in range(SETTLE_PASSES):
            head_crop.settle_batch_norm(trunk, self._pieces(chosen), cells)

    def _pieces(self, rows: npt.NDArray[np.intp]) -> Iterator[tuple[Tensor, Tensor]]:
        """Micro batches as stage 2 saw them, cut and in mixed windows: their spread counts too."""
        training, windows, recipe = self.training, self.network.windows, self.training.recipe
        windows.to(training.place.device)
        crop = recipe.head_crop or (recipe.size, recipe.size)
        rng = np.random.default_rng(self._seed("sequence"))
        for start in range(0, len(rows), recipe.micro_batch):
            picked = [training.slice(row) for row in rows[start : start + recipe.micro_batch]]
            voxels, default = (torch.cat(each) for each in zip(*picked, strict=True))
            chosen = torch.from_numpy(rng.choice(windows.count, len(picked), p=self._odds))
            lower, width = (
                limits[range(len(picked)), chosen] for limits in windows.limits(default)
            )
            places = head_crop.corners(voxels, crop)
            pieces = head_crop.pieces(voxels, places, crop)
            yield apply_window(pieces, lower, width).unsqueeze(1), places

    @torch.no_grad()
    def _start_readout(self) -> None:
        """The dense layers begin with what the map heads know, seen in the brain window."""
        training = self.training
        chosen = training.epochs.order(self._seed("window"))[:READOUT_SLICES]
        found = []
        for row in chosen:
            voxels, default = training.slice(row)
            lower, width = self.network.windows.limits(default)
            windowed = apply_window(voxels, lower[:, BRAIN], width[:, BRAIN]).unsqueeze(1)
            found.append(self.network.trunk.maps(windowed).float().cpu())
        self.network.cpu()
        self.heads.cpu()
        start_from_maps(self.network, self.heads, torch.cat(found), training.labels[chosen])

    def _seed(self, stage: str) -> tuple[int, int]:
        return self.training.recipe.seed, STAGES.index(stage)


def _log_loss(logits: Tensor, labels: Tensor) -> float:
    """Mean unweighted BCE: val is looked at as it is."""
    return float(F.binary_cross_entropy_with_logits(logits.float().cpu(), labels))
