"""ConvLstm: the paper's network, a CNN per window and an LSTM over the ten windows of one slice.

Source: Rajagopal et al. 2023, sections 4.1-4.3. It is an LSTM over CNN features, not a
convolutional LSTM cell. The paper gives no LSTM width: 128, one layer, last state (chosen).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from service.model.trunk import FEATURES, Trunk, glorot_, glorot_lstm_
from service.model.windows import SystematicWindows, apply_window
from service.types import LABELS


class ConvLstm(nn.Module):
    """(B, H, W) Hounsfield slices and (B, 2) default windows -> (B, 6) logits.

    `window_head` keeps the six-way head of stage 2 beside the LSTM: its ten opinions are a free
    signal of disagreement. It takes no part in the six logits.
    """

    def __init__(
        self,
        size: int = 512,
        bn_unit5: bool = True,
        lstm_units: int = 128,
        window_head: bool = False,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "size": size,
            "bn_unit5": bn_unit5,
            "lstm_units": lstm_units,
            "window_head": window_head,
        }
        self.windows = SystematicWindows()
        self.trunk = Trunk(size, bn_unit5)
        self.lstm = nn.LSTM(FEATURES, lstm_units, batch_first=True)
        self.head = nn.Linear(lstm_units, len(LABELS))
        self.window_head = nn.Linear(FEATURES, len(LABELS)) if window_head else None
        glorot_lstm_(self.lstm)
        glorot_(self.head)
        if self.window_head is not None:
            glorot_(self.window_head)

    def forward(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """(B, H, W) HU, any dtype, and (B, 2) float32 centre and width in HU -> (B, 6)."""
        return self.sequence_logits(self.features(voxels_hu, default))

    def features(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """Trunk features of the ten windows: (B, 10, 128)."""
        return self._each_window(self.trunk, voxels_hu, default)

    def maps(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """What the dense layers of the trunk see of the ten windows: (B, 10, 800) at 512."""
        return self._each_window(self.trunk.maps, voxels_hu, default)

    def _each_window(
        self, run: Callable[[Tensor], Tensor], voxels_hu: Tensor, default: Tensor
    ) -> Tensor:
        if voxels_hu.is_cuda:
            windowed = self.windows(voxels_hu, default)  # (B, 10, 1, H, W)
            flat = run(windowed.flatten(0, 1))
            return flat.view(*windowed.shape[:2], -1)
        # On a CPU the working set decides: one window at a time stays in the cache.
        lower, width = self.windows.limits(default)
        each = [
            run(apply_window(voxels_hu, lower[:, t], width[:, t]).unsqueeze(1))
            for t in range(self.windows.count)
        ]
        return torch.stack(each, dim=1)

    def sequence_logits(self, features: Tensor) -> Tensor:
        """LSTM over the windows and head: (B, 10, 128) -> (B, 6)."""
        states, _ = self.lstm(features)
        logits: Tensor = self.head(states[:, -1])
        return logits

    def window_logits(self, features: Tensor) -> Tensor:
        """Logits of the stage-2 head for each window: (B, 10, 128) -> (B, 10, 6).

        Raises:
            RuntimeError: the network was built without its window head.
        """
        if self.window_head is None:
            raise RuntimeError("this network has no window head")
        logits: Tensor = self.window_head(features)
        return logits
