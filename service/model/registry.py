"""Registry: every network by the name that manifests and command lines use.

A network's module is imported when it is asked for: importing the registry loads no torchvision
and no timm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, Self

from torch import Tensor, nn

from service.model.three_window import THREE_WINDOWS
from service.model.windows import FIXED_WINDOWS

Windows = tuple[tuple[str, float, float], ...]


class Network(Protocol):
    """What serving and training ask of a classifier: an nn.Module that knows its configuration.

    Called with (B, H, W) HU of any dtype and (B, 2) float32 default windows (centre, width in HU)
    it returns (B, 6) logits. `config` holds JSON scalars and rebuilds the network.
    """

    config: dict[str, Any]

    def __call__(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """Logits of a batch of slices."""

    # What follows is nn.Module's; a protocol cannot inherit from a class.

    def eval(self) -> Self:
        """Evaluation mode."""

    def train(self, mode: bool = True) -> Self:
        """Training mode."""

    def to(self, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401 - as torch has it
        """Move to a device or memory format."""

    def cpu(self) -> Self:
        """Move to the CPU."""

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze or free every parameter."""

    def modules(self) -> Iterator[nn.Module]:
        """Every layer."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Every parameter."""

    def state_dict(self) -> dict[str, Any]:
        """The weights by name."""

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> object:
        """Take over weights."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A network of the registry; calling it builds one, with fresh weights."""

    target: str  # "module:class"
    windows: Windows  # fixed windows in HU that its input layer applies

    def __call__(self, *args: Any, **config: Any) -> Network:  # noqa: ANN401 - per network
        """Build the network from its configuration.

        Raises:
            ImportError: the network needs a package that is not installed.
            ValueError: the network refuses the configuration.
        """
        module, _, name = self.target.partition(":")
        factory: Callable[..., Network] = getattr(import_module(module), name)
        return factory(*args, **config)


NETWORKS: Mapping[str, Entry] = {
    "conv_lstm": Entry("service.model.conv_lstm:ConvLstm", FIXED_WINDOWS),
    "slice_cnn": Entry("service.model.slice_cnn:SliceCnn", FIXED_WINDOWS),
    "window_series": Entry("service.model.window_series:WindowSeries", FIXED_WINDOWS),
    "bhcnet": Entry("service.model.bhcnet:BhcNet", THREE_WINDOWS),
    "bhcnet_lstm": Entry("service.model.bhcnet_lstm:BhcNetLstm", THREE_WINDOWS),
    "cnn_128": Entry("service.model.cnn_128:Cnn128", THREE_WINDOWS),
    "cnn_rnn": Entry("service.model.cnn_rnn:CnnRnn", THREE_WINDOWS),
    "densenet121": Entry("service.model.densenet121:DenseNet121", THREE_WINDOWS),
    "resnext50": Entry("service.model.resnext50:ResNext50", THREE_WINDOWS),
    "xception": Entry("service.model.xception:Xception", THREE_WINDOWS),
}


def describe(name: str, network: Network) -> dict[str, Any]:
    """The network as data for the manifest: its name, its configuration and its windows.

    Raises:
        ValueError: the name is not in the registry.
    """
    windows = [list(window) for window in _entry(name).windows]
    return {"name": name, "config": dict(network.config), "fixed_windows": windows}


def build(description: Mapping[str, Any]) -> Network:
    """Build the network that a manifest describes, with fresh weights.

    Raises:
        ValueError: unknown name, a configuration that the network does not have, or windows other
            than those this code applies.
        ImportError: the network needs a package that is not installed.
    """
    entry = _entry(str(description.get("name")))
    if description.get("fixed_windows") != [list(window) for window in entry.windows]:
        raise ValueError("the windows of the manifest are not those of this code")
    try:
        return entry(**description.get("config", {}))
    except TypeError as error:
        raise ValueError("the network does not know the configuration of the manifest") from error


def _entry(name: str) -> Entry:
    entry = NETWORKS.get(name)
    if entry is None:
        raise ValueError("the manifest names a network that is not in the registry")
    return entry
