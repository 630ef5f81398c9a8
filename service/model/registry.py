"""Registry: every network by the name that manifests and command lines use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn
from service.model.windows import FIXED_WINDOWS

Network = ConvLstm | SliceCnn

NETWORKS: Mapping[str, Callable[..., Network]] = {
    "conv_lstm": ConvLstm,
    "slice_cnn": SliceCnn,
}


def describe(name: str, network: Network) -> dict[str, Any]:
    """The network as data for the manifest: its name, its configuration and its windows."""
    windows = [list(window) for window in FIXED_WINDOWS]
    return {"name": name, "config": dict(network.config), "fixed_windows": windows}


def build(description: Mapping[str, Any]) -> Network:
    """Build the network that a manifest describes, with fresh weights.

    Raises:
        ValueError: unknown name, or windows other than those this code applies.
    """
    factory = NETWORKS.get(str(description.get("name")))
    if factory is None:
        raise ValueError("the manifest names a network that is not in the registry")
    if description.get("fixed_windows") != [list(window) for window in FIXED_WINDOWS]:
        raise ValueError("the windows of the manifest are not those of this code")
    return factory(**description.get("config", {}))
