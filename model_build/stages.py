"""Stages: the losses of training, each a module so that DDP can wrap it.

stage 2   WindowStage    one random window per slice -> trunk -> six-way head (+ lesion masks)
stage 3a  SequenceStage  stored maps of ten windows -> dense layers -> LSTM -> head
stage 3b  JointStage     everything end to end, the stage-2 head as auxiliary loss
else      WholeStage     any other network, slices to logits
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_build import head_crop
from model_build.augmentation import GRID
from model_build.map_heads import MapHeads, maps_of
from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn
from service.model.windows import apply_window


def weighted_bce(
    logits: Tensor, labels: Tensor, weights: Tensor, any_weight: float = 1.0
) -> Tensor:
    """Element-wise BCE, mean over the six labels, weighted mean over slices (paper Eqs 4-6).

    Eq. 5 prints the subdural label in the epidural term: a misprint, epidural is used.

    Args:
        logits: (B, 6).
        labels: (B, 6) float of 0 and 1.
        weights: (B,) sample weights.
        any_weight: of the label `any`, the last one; 1 in the paper, 2 in the RSNA challenge.
    """
    each = F.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")
    shares = torch.ones(labels.shape[1], device=labels.device)
    shares[-1] = any_weight
    return ((each * shares).sum(dim=1) / shares.sum() * weights).mean()


class WindowStage(nn.Module):
    """Loss of the per-window CNN on one window per slice, with the lesion masks where given."""

    def __init__(
        self,
        network: SliceCnn,
        heads: MapHeads | None,
        map_weight: float,
        crop: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.heads, self.map_weight = network, heads, map_weight
        self.crop = crop

    def forward(
        self,
        voxels: Tensor,
        default: Tensor,
        chosen: Tensor,
        labels: Tensor,
        weights: Tensor,
        coverage: Tensor,
    ) -> Tensor:
        """Slices (B, S, S) HU, windows (B, 2), chosen window index (B,) -> scalar loss.

        `coverage` is (B, 6, S / 8, S / 8), as `augmentation.coverage` makes it.
        """
        lower, width = self.network.windows.limits(default)
        rows = torch.arange(len(chosen), device=chosen.device)
        limits = lower[rows, chosen], width[rows, chosen]
        shallow, deep = self._maps(voxels, *limits)
        logits = self.network.head(self.network.trunk.dense(deep.flatten(1)))
        loss = weighted_bce(logits, labels, weights)
        if self.heads is None:
            return loss
        return loss + self.map_weight * self.heads.loss(shallow, deep, coverage)

    def _maps(self, voxels: Tensor, lower: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        trunk = self.network.trunk
        if self.crop is None:
            return maps_of(trunk, apply_window(voxels, lower, width).unsqueeze(1))
        places = head_crop.corners(voxels, self.crop)
        pieces = head_crop.pieces(voxels, places, self.crop)
        windowed = apply_window(pieces, lower, width).unsqueeze(1)
        air, cells = head_crop.air_maps(trunk), voxels.shape[-1] // GRID
        return head_crop.whole_maps(trunk, windowed, places, air, cells)


class SequenceStage(nn.Module):
    """Loss of everything behind the convolutions on stored maps; both heads are trained.

    Dropout of maps is part of this loss only: the network of the paper has none.
    """

    def __init__(self, network: ConvLstm, auxiliary_weight: float, dropout: float) -> None:
        super().__init__()
        self.dense, self.lstm, self.head = network.trunk.dense, network.lstm, network.head
        self.window_head = network.window_head
        self._network = [network]  # in a list: its convolutions are not this stage's to train
        self.auxiliary_weight, self.dropout = auxiliary_weight, dropout

    def forward(self, maps: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """Maps (B, 10, 800) -> scalar loss."""
        kept = F.dropout(maps.float(), self.dropout, self.training)
        return _both_heads(
            self._network[0], self.dense(kept), labels, weights, self.auxiliary_weight
        )


class JointStage(nn.Module):
    """Loss of the whole network; batch norm keeps the statistics of stage 2.

    With fixed statistics a slice's ten windows can be run one by one, and neither the batch nor
    the number of processes changes the result.
    """

    def __init__(self, network: ConvLstm, auxiliary_weight: float) -> None:
        super().__init__()
        self.network = network
        self.auxiliary_weight = auxiliary_weight

    def train(self, mode: bool = True) -> JointStage:
        """Train mode for all but batch norm."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, voxels: Tensor, default: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """Slices (B, S, S) HU and windows (B, 2) -> scalar loss."""
        features = self.network.features(voxels, default)
        return _both_heads(self.network, features, labels, weights, self.auxiliary_weight)


class WholeStage(nn.Module):
    """Loss of a network that trains in one piece."""

    def __init__(self, network: nn.Module, any_weight: float) -> None:
        super().__init__()
        self.network, self.any_weight = network, any_weight

    def forward(self, voxels: Tensor, default: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """Slices (B, S, S) or (B, 3, S, S) HU and windows (B, 2) -> scalar loss."""
        return weighted_bce(self.network(voxels, default), labels, weights, self.any_weight)


def _both_heads(
    network: ConvLstm, features: Tensor, labels: Tensor, weights: Tensor, auxiliary_weight: float
) -> Tensor:
    """Loss of the LSTM's head, and of the stage-2 head, which would else go stale."""
    loss = weighted_bce(network.sequence_logits(features), labels, weights)
    if network.window_head is None:
        return loss
    each = network.window_logits(features).flatten(0, 1)
    count = features.shape[1]
    auxiliary = weighted_bce(
        each, labels.repeat_interleave(count, 0), weights.repeat_interleave(count, 0)
    )
    return loss + auxiliary_weight * auxiliary
