"""Denormals: weights too small for a normal float, which make a CPU many times slower.

Weight decay leaves thousands of them in dead filters. They change no logit, and many processors
work on each in microcode.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Weights(Protocol):
    """Anything with named tensors."""

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors by name, sharing memory with their owner."""


@torch.no_grad()
def flush_denormals(network: Weights) -> int:
    """Set weights too small for a normal number of their type to zero, in place.

    Returns:
        How many there were.
    """
    count = 0
    for value in network.state_dict().values():
        if value.is_floating_point():
            small = (value != 0) & (value.abs() < torch.finfo(value.dtype).tiny)
            value[small] = 0.0
            count += int(small.sum())
    return count
