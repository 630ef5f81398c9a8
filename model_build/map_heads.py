"""MapHeads: where the lesion is, asked of the trunk's maps while it trains; never exported.

unit 3 maps (64 x 64 of 8 px) and unit 5 maps (10 x 10) -> 1x1 convolution -> one map per label
A slice's six labels say little to 16,852 convolution weights; its lesion mask says what blood
looks like at 4,096 places. The heads are training aids, so served network and paper's agree.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from service.model.trunk import UNITS, Trunk
from service.types import LABELS

SHALLOW_UNITS = 3  # units 1-3 keep the size: cell k of their maps is pixels 8k .. 8k + 7
# Units 4 and 5 have no padding: cell m of the last map is centred on cells 4m + 12 .. 4m + 15 of
# unit 3 (four 5x5 convolutions take 2 cells a side each, the last two of them doubled by a pool).
DEEP_SPAN, DEEP_OFFSET = 4, 12
TYPICAL_CELLS = 40.0  # that a lesion covers; a constant, so that processes add up to one
EMPTY_LOGIT = -4.0
DEEP_FACTOR = 4.0  # far fewer cells, as much to say


class MapHeads(nn.Module):
    """Two 1x1 convolutions on a trunk's maps and the loss against coverage maps."""

    def __init__(self) -> None:
        super().__init__()
        shallow = UNITS[SHALLOW_UNITS - 1][0][-1][1]
        deep = UNITS[-1][0][-1][1]
        self.shallow, self.deep = _head(shallow), _head(deep)

    def loss(self, shallow: Tensor, deep: Tensor, coverage: Tensor) -> Tensor:
        """Mean over slices of the summed cell losses.

        Args:
            shallow: (B, 16, S / 8, S / 8) maps of unit 3.
            deep: (B, 8, D, D) maps of unit 5.
            coverage: (B, 6, S / 8, S / 8) in 0..1; NaN rows are slices without a known mask.

        Returns:
            Scalar; 0 where no mask is known.
        """
        known = torch.isfinite(coverage).flatten(1).all(dim=1)
        target = torch.where(known.view(-1, 1, 1, 1), coverage, torch.zeros_like(coverage))
        each = quality_focal(self.shallow(shallow), target).flatten(1).sum(dim=1)
        far = _deepened(_deepened(target, deep.shape[-2], 2), deep.shape[-1], 3)
        each = each + DEEP_FACTOR * quality_focal(self.deep(deep), far).flatten(1).sum(dim=1)
        return (each * known).mean() / TYPICAL_CELLS


def _deepened(target: Tensor, count: int, axis: int) -> Tensor:
    """The largest coverage per cell of the last map along one axis.

    Its outermost cells see as far as the border, so what lies out there is theirs: convexity
    bleeds of a large head do.
    """
    edges = [0, *(DEEP_OFFSET + DEEP_SPAN * k for k in range(1, count)), target.shape[axis]]
    parts: tuple[Tensor, ...] = torch.split(
        target, [b - a for a, b in itertools.pairwise(edges)], dim=axis
    )
    return torch.stack([part.amax(dim=axis) for part in parts], dim=axis)


def _head(channels: int) -> nn.Conv2d:
    head = nn.Conv2d(channels, len(LABELS), 1)
    # Nearly every cell is empty: starting there, the first steps go to the lesions.
    nn.init.normal_(head.weight, std=0.01)
    head.bias = nn.Parameter(torch.full((len(LABELS),), EMPTY_LOGIT))
    return head


def quality_focal(logits: Tensor, target: Tensor) -> Tensor:
    """Element-wise |t - p|^2 BCE: cells that are right already, most of them air, cost nothing.

    The focal idea for soft targets (Li et al. 2020, Generalized Focal Loss, quality term).
    """
    logits = logits.float()
    cross = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return cross * (target - torch.sigmoid(logits)).abs().square()


def maps_of(trunk: Trunk, windowed: Tensor) -> tuple[Tensor, Tensor]:
    """Maps of unit 3 and unit 5 of windowed slices (B, 1, S, S)."""
    shallow = trunk.units[:SHALLOW_UNITS](windowed)
    deep: Tensor = trunk.units[SHALLOW_UNITS:](shallow)
    return shallow, deep
