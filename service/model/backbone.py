"""Backbone: published image classifiers behind the three windows, from scratch or from ImageNet.

Weights of ImageNet are read from a local file and never fetched; the configuration says which of
the two initialisations a network started from.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import ClassVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from service.model.three_window import ThreeWindowNetwork

INITIALISATIONS = ("random", "imagenet")
# Heads of the thousand ImageNet classes in the files of torchvision, timm and their predecessors.
HEADS = ("classifier.", "fc.", "last_linear.", "head.")


class BackboneNetwork(ThreeWindowNetwork):
    """A whole published classifier whose last layer has `outputs` logits.

    The three windows take the place of red, green and blue, so the first layer fits as it is. The
    channels are standardised with the mean and deviation that the ImageNet weights expect, whether
    or not they are loaded: both initialisations then run the same arithmetic.
    """

    mean: Tensor
    deviation: Tensor
    # Per channel, of images in [0, 1].
    MEAN: ClassVar[tuple[float, ...]] = (0.485, 0.456, 0.406)
    DEVIATION: ClassVar[tuple[float, ...]] = (0.229, 0.224, 0.225)

    def __init__(self, backbone: nn.Module, size: int, outputs: int, initialisation: str) -> None:
        """Put a backbone with its own head of `outputs` logits behind the windows.

        Raises:
            ValueError: an initialisation that is neither "random" nor "imagenet".
        """
        if initialisation not in INITIALISATIONS:
            raise ValueError("the initialisation must be random or imagenet")
        super().__init__(size, outputs, initialisation=initialisation)
        self.backbone = backbone
        self.register_buffer("mean", _per_channel(self.MEAN), persistent=False)
        self.register_buffer("deviation", _per_channel(self.DEVIATION), persistent=False)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, size, size) float32 in [0, 1] -> (B, outputs)."""
        logits: Tensor = self.backbone((images - self.mean) / self.deviation)
        return logits

    @staticmethod
    def pretrained_key(key: str) -> str:
        """Name in this backbone of a tensor of an ImageNet file."""
        return key


def load_imagenet(network: object, path: Path) -> None:
    """Start a network from ImageNet weights on disk, in place, and record that in its config.

    The head of the file is dropped: its classes are not ours, and the network keeps its own fresh
    head. Everything else, the first layer included, must fit exactly.

    Args:
        network: of the registry.
        path: .safetensors, or a .pth of tensors alone (no code of it is run).

    Raises:
        ValueError: a network without an ImageNet form, or a file that is not its weights.
        FileNotFoundError: no such file.
    """
    if not isinstance(network, BackboneNetwork):
        raise ValueError("this network has no ImageNet form; only the backbones do")
    own = network.backbone.state_dict()
    read = {network.pretrained_key(key): value for key, value in _read(path).items()}
    body = {key: value for key, value in read.items() if not key.startswith(HEADS)}
    # Old files lack the counter of batch norm, which nothing depends on.
    needed = {
        key for key in own if not key.startswith(HEADS) and not key.endswith("num_batches_tracked")
    }
    misfits = (needed - body.keys()) | (body.keys() - own.keys())
    misfits |= {key for key in body.keys() & own.keys() if body[key].shape != own[key].shape}
    if misfits:
        raise ValueError(
            f"the ImageNet file does not fit the backbone: {len(misfits)} tensors are missing, "
            f"unknown or of another shape, the first is {min(misfits)}"
        )
    network.backbone.load_state_dict(body, strict=False)
    network.config["initialisation"] = "imagenet"


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError("there is no file of ImageNet weights at the given path")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError("the file of ImageNet weights cannot be read") from error
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError("the file of ImageNet weights is not a dictionary of tensors")
    return content


def _per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)
