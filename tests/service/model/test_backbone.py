"""Backbone: ImageNet files are taken over whole or refused, and the result says which it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from service.model import xception
from service.model.backbone import BackboneNetwork, load_imagenet
from service.model.bhcnet import BhcNet
from service.model.densenet121 import DenseNet121
from service.model.registry import NETWORKS, describe

Weights = dict[str, Tensor]


def published(weights: Weights) -> Weights:
    """The tensors of a backbone as torchvision's DenseNet file has them, with a thousand classes.

    Names of the older layout (norm.1), no counters of batch norm.
    """
    renamed = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): value.contiguous()
        for key, value in weights.items()
        if not key.endswith("num_batches_tracked")
    }
    head = {"classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}
    return {**renamed, **head}


def backbone_weights(network: BackboneNetwork) -> Weights:
    """The weights of the backbone alone."""
    return {key: value.clone() for key, value in network.backbone.state_dict().items()}


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_in_the_published_layout_is_taken_over(tmp_path: Path, suffix: str) -> None:
    """Everything but the head; the configuration and so the manifest say imagenet."""
    source, network = DenseNet121(64), DenseNet121(64)
    path = tmp_path / f"weights{suffix}"
    weights = published(backbone_weights(source))
    assert "features.denseblock1.denselayer1.norm.1.weight" in weights
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    head = network.backbone.classifier.weight.detach().clone()  # type: ignore[union-attr, operator]
    assert describe("densenet121", network)["config"]["initialisation"] == "random"
    load_imagenet(network, path)
    assert describe("densenet121", network)["config"]["initialisation"] == "imagenet"
    found, expected = backbone_weights(network), backbone_weights(source)
    assert torch.equal(found.pop("classifier.weight"), head)
    assert all(torch.equal(value, expected[key]) for key, value in found.items() if "cl" not in key)


def one_missing(weights: Weights) -> Weights:
    """Without one tensor."""
    return {key: value for key, value in weights.items() if key != "features.norm5.bias"}


def one_unknown(weights: Weights) -> Weights:
    """With a layer that the backbone lacks."""
    return {**weights, "features.norm6.bias": torch.zeros(3)}


def grey_first_layer(weights: Weights) -> Weights:
    """For images of one channel."""
    return {**weights, "features.conv0.weight": torch.zeros(64, 1, 7, 7)}


@pytest.mark.parametrize("fault", [one_missing, one_unknown, grey_first_layer])
def test_weights_of_something_else_change_nothing(
    tmp_path: Path, fault: Callable[[Weights], Weights]
) -> None:
    """The error names the first misfit; the network stays as it was."""
    network = DenseNet121(64)
    before = backbone_weights(network)
    torch.save(fault(published(backbone_weights(DenseNet121(64)))), tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"1 tensors .*(norm5|norm6|conv0)"):
        load_imagenet(network, tmp_path / "weights.pth")
    assert network.config["initialisation"] == "random"
    assert all(torch.equal(value, before[key]) for key, value in backbone_weights(network).items())


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_of_other_bytes_is_refused(tmp_path: Path, suffix: str) -> None:
    """Neither format runs code or guesses."""
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"not weights")
    with pytest.raises(ValueError, match="cannot be read"):
        load_imagenet(DenseNet121(64), path)


def test_a_pickle_of_code_and_a_whole_checkpoint_are_refused(tmp_path: Path) -> None:
    """Tensors only."""
    path = tmp_path / "weights.pth"
    torch.save(nn.Linear(1, 1), path)
    with pytest.raises(ValueError, match="cannot be read"):
        load_imagenet(DenseNet121(64), path)
    torch.save({"state_dict": {}, "epoch": 3}, path)
    with pytest.raises(ValueError, match="dictionary of tensors"):
        load_imagenet(DenseNet121(64), path)


def test_no_file_and_no_backbone_are_refused(tmp_path: Path) -> None:
    """The small companions have no ImageNet form."""
    with pytest.raises(FileNotFoundError, match="ImageNet"):
        load_imagenet(DenseNet121(64), tmp_path / "none.pth")
    with pytest.raises(ValueError, match="no ImageNet form"):
        load_imagenet(BhcNet(64), tmp_path / "none.pth")
    with pytest.raises(ValueError, match="random or imagenet"):
        DenseNet121(64, initialisation="other")


@pytest.mark.parametrize(
    ("name", "zero"), [("densenet121", 0.485 / 0.229), ("xception", 1.0), ("resnext50", 2.1179039)]
)
def test_channels_are_standardised_as_the_imagenet_weights_expect(name: str, zero: float) -> None:
    """Black is -mean / deviation; xception wants -1..1."""
    network: Any = NETWORKS[name](size=64)
    seen: list[Tensor] = []
    network.backbone = nn.Sequential(nn.Identity())
    network.backbone.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs[0]))
    network.logits(torch.zeros(1, 3, 64, 64))
    assert float(seen[0][0, 0, 0, 0]) == pytest.approx(-zero)


@pytest.mark.parametrize("name", ["densenet121", "resnext50", "xception"])
def test_the_head_is_fresh_and_without_bias(name: str) -> None:
    """Keras defaults for the one layer that ImageNet does not give."""
    *_, head = (layer for layer in NETWORKS[name]().modules() if isinstance(layer, nn.Linear))
    assert head.out_features == 6
    assert float(head.bias.detach().abs().max()) == 0.0
    bound = (6 / (head.in_features + 6)) ** 0.5
    assert 0.99 * bound < float(head.weight.detach().abs().max()) <= bound


def test_xception_without_timm_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving does not install timm; nothing else may fail for it."""

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(xception, "import_module", absent)
    with pytest.raises(ImportError, match="timm to be installed"):
        NETWORKS["xception"]()
