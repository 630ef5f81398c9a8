"""RasterLstm: reads feature maps as a sequence, position by position, row after row."""

from __future__ import annotations

from torch import Tensor, nn


class RasterLstm(nn.Module):
    """Maps (B, C, H, W) -> last state (B, units) of one LSTM over the H x W positions.

    The CNN-LSTM papers of the companions state neither the sequence nor a width: raster order and
    64 units are chosen.
    """

    def __init__(self, channels: int, units: int = 64) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, units, batch_first=True)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, units)."""
        steps = maps.flatten(2).transpose(1, 2)  # (B, H * W, C)
        states, _ = self.lstm(steps)
        last: Tensor = states[:, -1]
        return last
