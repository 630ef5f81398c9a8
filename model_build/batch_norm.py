"""BatchNorm: statistics for evaluation, counted anew instead of the lagging running mean.

Keras' momentum 0.99 remembers a hundred micro batches back. While weights move fast, and at the
end of a short training, such statistics belong to another network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def norms_of(network: nn.Module) -> list[nn.BatchNorm2d]:
    """Every batch normalisation of a network."""
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@contextmanager
def settling(network: nn.Module) -> Iterator[None]:
    """Forwards inside set the statistics to their plain mean over these batches.

    Everything else is in evaluation mode; behind it all of the network is.
    """
    norms = norms_of(network)
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch: a cumulative average
        norm.train()
    try:
        with torch.no_grad():
            yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


@contextmanager
def fixed(network: nn.Module) -> Iterator[None]:
    """Batch norm by its running statistics for a while."""
    norms = norms_of(network)
    modes = [norm.training for norm in norms]
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm, mode in zip(norms, modes, strict=True):
            norm.train(mode)
