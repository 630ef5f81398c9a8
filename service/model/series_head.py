r"""Series head: reads the slice embeddings of one series in order and corrects the slice logits.

[e_t, e_t - e_{t-1}, e_t - e_{t+1}, z_t / Z] -> 2-layer bi-GRU(128) -> logits added to the CNN's
                                                                   \-> series logits (6,)
Source: spec variant `plus`, after the first RSNA 2019 solution (Wang et al. 2021, NeuroImage Clin).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from service.model.residual import EMBEDDING
from service.types import LABELS

HIDDEN, LAYERS = 128, 2
ATTENTION = 64
SHARPNESS = 4.0  # of the smooth maximum; a series of 32 slices loses at most ln(32) / 4 = 0.87


class SeriesHead(nn.Module):
    """Slice embeddings (T, 256) with positions (T,) -> additions to slice logits, series logits.

    Both output layers start at zero: an untrained head leaves the slice logits as they are and
    takes their smooth maximum for the series.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3 * EMBEDDING + 1, HIDDEN, LAYERS, batch_first=True, bidirectional=True)
        self.slice_head = nn.Linear(2 * HIDDEN, len(LABELS))
        self.attention = nn.Sequential(
            nn.Linear(2 * HIDDEN, ATTENTION), nn.Tanh(), nn.Linear(ATTENTION, 1)
        )
        self.series_head = nn.Linear(2 * HIDDEN, len(LABELS))
        for head in (self.slice_head, self.series_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, embeddings: Tensor, z: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Slice logits (T, 6) and series logits (6,) of one series.

        Args:
            embeddings: (T, 256) in the order of the slices.
            z: (T,) position of each slice along the normal in mm, not falling.
            logits: (T, 6) of the slices alone.

        Raises:
            ValueError: no slice, shapes that do not fit, or positions unknown or out of order.
        """
        states, _ = self.gru(sequence_of(embeddings, z).unsqueeze(0))
        states = states[0]  # (T, 256)
        slices: Tensor = logits + self.slice_head(states)
        weights = self.attention(states).softmax(dim=0)  # (T, 1)
        pooled = (weights * states).sum(dim=0)
        return slices, self.series_head(pooled) + smooth_max(slices)


def sequence_of(embeddings: Tensor, z: Tensor) -> Tensor:
    """What the GRU reads: (T, 256) and positions (T,) in mm -> (T, 769).

    The first and the last slice have no neighbour on one side: the difference is zero there.

    Raises:
        ValueError: as `SeriesHead.forward`.
    """
    if embeddings.ndim != 2 or embeddings.shape[1] != EMBEDDING or not len(embeddings):
        raise ValueError("the embeddings of a series are (T, 256) with T > 0")
    if z.shape != embeddings.shape[:1]:
        raise ValueError("one position per slice is needed")
    if not bool(torch.isfinite(z).all()) or bool((z.diff() < 0).any()):
        raise ValueError("the slices of a series must come in the order of known positions")
    steps = embeddings.diff(dim=0)  # (T - 1, 256)
    none = torch.zeros_like(embeddings[:1])
    before, after = torch.cat([none, steps]), torch.cat([-steps, none])
    extent = (z[-1] - z[0]).clamp(min=torch.finfo(torch.float32).tiny)
    place = ((z - z[0]) / extent).to(embeddings).unsqueeze(1)
    return torch.cat([embeddings, before, after, place], dim=1)


def smooth_max(logits: Tensor) -> Tensor:
    """Smooth maximum over slices: (T, 6) -> (6,), between the mean and the maximum.

    log-mean-exp at a fixed sharpness, so that one slice repeated T times scores as itself.
    """
    spread = torch.logsumexp(SHARPNESS * logits, dim=0) - math.log(len(logits))
    return spread / SHARPNESS
