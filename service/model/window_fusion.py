"""Window fusion: the ways to make one token of the T window tokens of a slice.

tokens (B, T, 32, h, w) -> fusion -> (B, 64, h, w); all else in `window_series` stays the same.
Source: spec variant `plus` (attention) and its ablations; the LSTM is the idea of Rajagopal 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TOKEN, FUSED = 32, 64  # channels


class AttentionFusion(nn.Module):
    """Softmax over the windows at every place, beside the plain maximum."""

    def __init__(self, count: int) -> None:
        super().__init__()
        del count  # the score is shared: any number of windows, in any order
        self.score = nn.Conv2d(TOKEN, 1, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, 32, h, w) -> (B, 64, h, w): weighted mean and maximum over T."""
        scores = self.score(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
        weighted = (scores.float().softmax(dim=1).to(tokens.dtype) * tokens).sum(dim=1)
        return torch.cat([weighted, tokens.amax(dim=1)], dim=1)


class MeanFusion(nn.Module):
    """The plain mean over the windows, then a 1x1 convolution."""

    def __init__(self, count: int) -> None:
        super().__init__()
        del count
        self.widen = nn.Conv2d(TOKEN, FUSED, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, 32, h, w) -> (B, 64, h, w)."""
        return F.relu(self.widen(tokens.mean(dim=1)))


class StackFusion(nn.Module):
    """The windows as channels: every window has weights of its own in a 1x1 convolution."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(count * TOKEN, FUSED, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, 32, h, w) -> (B, 64, h, w)."""
        return F.relu(self.mix(tokens.flatten(1, 2)))


class LstmFusion(nn.Module):
    """The paper's reading of the windows as a sequence, at every place of the token.

    The windows enter one after the other; the last hidden state is the fused token. It runs on the
    map rather than on one pooled vector per window: a vector would leave the trunk nothing to see,
    and the comparison would be between trunks, not between fusions.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        del count
        self.lstm = nn.LSTM(TOKEN, FUSED, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, 32, h, w) -> (B, 64, h, w)."""
        batch, count, channels, height, width = tokens.shape
        places = tokens.permute(0, 3, 4, 1, 2).reshape(-1, count, channels)
        _, (last, _) = self.lstm(places)
        fused: Tensor = last[-1].view(batch, height, width, FUSED)
        return fused.permute(0, 3, 1, 2)


FUSIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "attention": AttentionFusion,
    "lstm": LstmFusion,
    "mean": MeanFusion,
    "stack": StackFusion,
}
