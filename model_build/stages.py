"""Stages: the losses of the staged training, each a module so that DDP can wrap it.

stage 2   WindowStage    one random window per slice -> trunk -> six-way head
stage 3a  SequenceStage  frozen features of ten windows -> LSTM -> head
stage 3b  JointStage     everything end to end, the stage-2 head as auxiliary loss
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn


def weighted_bce(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Element-wise BCE, mean over the six labels, weighted mean over slices (paper Eqs 4-6).

    Eq. 5 prints the subdural label in the epidural term: a misprint, epidural is used.

    Args:
        logits: (B, 6).
        labels: (B, 6) float of 0 and 1.
        weights: (B,) sample weights.
    """
    each = F.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")
    return (each.mean(dim=1) * weights).mean()


class WindowStage(nn.Module):
    """Loss of the per-window CNN on one window per slice."""

    def __init__(self, network: SliceCnn) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, voxels: Tensor, default: Tensor, chosen: Tensor, labels: Tensor, weights: Tensor
    ) -> Tensor:
        """Slices (B, S, S) HU, windows (B, 2), chosen window index (B,) -> scalar loss."""
        lower, width = self.network.windows.limits(default)
        rows = torch.arange(len(chosen), device=chosen.device)
        logits = self.network.window_logits(voxels, lower[rows, chosen], width[rows, chosen])
        return weighted_bce(logits, labels, weights)


class SequenceStage(nn.Module):
    """Loss of LSTM and head on stored trunk features."""

    def __init__(self, network: ConvLstm) -> None:
        super().__init__()
        self.lstm, self.head = network.lstm, network.head
        self._logits = network.sequence_logits

    def forward(self, features: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """Features (B, 10, 128) -> scalar loss."""
        return weighted_bce(self._logits(features), labels, weights)


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
        loss = weighted_bce(self.network.sequence_logits(features), labels, weights)
        if self.network.window_head is None:
            return loss
        # Left alone, the stage-2 head would go stale when the trunk moves.
        each = self.network.window_logits(features).flatten(0, 1)
        count = features.shape[1]
        auxiliary = weighted_bce(
            each, labels.repeat_interleave(count, 0), weights.repeat_interleave(count, 0)
        )
        return loss + self.auxiliary_weight * auxiliary
