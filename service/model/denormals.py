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
def flush_denormals(network: Weights) -> None:
    """Set weights too small for a normal number of their type to zero, in place."""
    for value in network.state_dict().values():
        if value.is_floating_point():
            # Also right where the processor already takes denormals for zero: 0 < tiny as well.
            value[value.abs() < torch.finfo(value.dtype).tiny] = 0.0
