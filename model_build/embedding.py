"""Embedding: what the last layer of a network reads, taken on the way to the logits.

A network keeps its outputs and its weights as they are: the last layer is listened to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from service.model.conv_lstm import ConvLstm
from service.model.registry import Network

LAST_STATE = "last LSTM state"
LAST_INPUT = "input of the last layer"


@contextmanager
def tapped(network: Network) -> Iterator[Callable[[], Tensor]]:
    """While open, gives the embeddings (B, D) of the batch that this thread has just run.

    A layer that is used once per window (`slice_cnn`) gives the mean over the windows, of which
    the logits are a linear function as well. Threads do not see each other's batches.

    Raises:
        RuntimeError: when asked before any batch went through the last layer.
    """
    seen = threading.local()

    def listen(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.rows = [*getattr(seen, "rows", []), inputs[0]]

    def take() -> Tensor:
        rows: list[Tensor] = getattr(seen, "rows", [])
        seen.rows = []
        if not rows:
            raise RuntimeError("nothing went through the last layer of this network")
        return torch.stack(rows).mean(dim=0)

    handle = last_layer(network).register_forward_pre_hook(listen)
    try:
        yield take
    finally:
        handle.remove()


def last_layer(network: Network) -> nn.Linear:
    """The layer that gives the logits: the last dense one of `head`, else of the network.

    Raises:
        ValueError: the network has no dense layer.
    """
    head = getattr(network, "head", None)
    layers = head.modules() if isinstance(head, nn.Module) else network.modules()
    dense = [layer for layer in layers if isinstance(layer, nn.Linear)]
    if not dense:
        raise ValueError("the network has no dense layer whose input could be its embedding")
    return dense[-1]


@torch.inference_mode()
def last_states(network: ConvLstm, features: Tensor) -> Tensor:
    """The 128 numbers before the last layer: trunk features (N, 10, 128) -> (N, 128) on the CPU."""
    states, _ = network.lstm(features.to(network.head.weight.device))
    last: Tensor = states[:, -1].float().cpu()
    return last
