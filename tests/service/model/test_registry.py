"""Registry: every network is described, rebuilt bit for bit, and serves a slice like any other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from model_build.export import PRETRAINED
from service.artifact import MANIFEST_FILE
from service.model.registry import NETWORKS, Network, build, describe
from service.model.three_window import THREE_WINDOWS
from service.model.windows import FIXED_WINDOWS
from tests.service.model.test_networks import louder, slices

# The smallest form of each network that still has all of its layers.
SMALL: dict[str, dict[str, Any]] = {
    "conv_lstm": {"size": 256, "lstm_units": 16, "window_head": True},
    "slice_cnn": {"size": 256, "bn_unit5": False},
    "window_series": {"size": 256},
    "bhcnet": {"size": 64},
    "bhcnet_lstm": {"size": 64, "lstm_units": 16},
    "cnn_128": {"size": 64},
    "cnn_rnn": {"size": 64, "lstm_units": 16},
    "densenet121": {"size": 64, "initialisation": "imagenet"},
    "resnext50": {"size": 64},
    "xception": {"size": 64},
}


def small(name: str) -> Network:
    """A small network of this name with its first weights, in evaluation mode."""
    torch.manual_seed(11)
    return NETWORKS[name](**SMALL[name]).eval()


def test_every_network_of_the_specification_has_a_name() -> None:
    """The table above covers the registry, and nothing else does."""
    assert set(SMALL) == set(NETWORKS)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_manifest_rebuilds_the_network_bit_for_bit(name: str) -> None:
    """Through JSON and with the weights taken over, the logits are the same floats."""
    network = small(name)
    voxels, windows = slices(1)
    twin = build(json.loads(json.dumps(describe(name, network)))).eval()
    assert type(twin) is type(network)
    assert twin.config == network.config
    own = network.state_dict()
    assert not all(torch.equal(value, own[key]) for key, value in twin.state_dict().items())
    twin.load_state_dict(own)
    with torch.inference_mode():
        expected, found = network(voxels, windows), twin(voxels, windows)
    assert expected.shape == (1, 6)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("name", sorted(set(SMALL) - {"conv_lstm", "slice_cnn"}))
def test_logits_depend_on_the_slice_and_not_on_its_batch_mates(name: str) -> None:
    """HU in, dropout silent, batch norm fixed, in the memory order of serving."""
    network = small(name)
    louder(network)  # type: ignore[arg-type]
    network.to(memory_format=torch.channels_last)
    voxels, windows = slices(3)
    with torch.inference_mode():
        together = network(voxels, windows)
        alone = torch.cat([network(voxels[i : i + 1], windows[i : i + 1]) for i in range(3)])
        shuffled = network(voxels.flip(0).float(), windows.flip(0)).flip(0)
    scale = float(together.abs().max())
    torch.testing.assert_close(together / scale, alone / scale, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together / scale, shuffled / scale, atol=1e-5, rtol=1e-4)
    assert float((together[0] - together[1]).abs().max()) > 1e-3 * scale


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_description_names_the_windows_that_the_network_applies(name: str) -> None:
    """Ten-window networks list the nine fixed ones, the companions their three."""
    network = small(name)
    fixed = THREE_WINDOWS if hasattr(network, "image_logits") else FIXED_WINDOWS
    assert describe(name, network)["fixed_windows"] == [list(window) for window in fixed]


def test_the_manifest_of_the_shipped_weights_is_accepted() -> None:
    """Its bytes are described again as they stand."""
    shipped = json.loads((PRETRAINED / MANIFEST_FILE).read_text(encoding="utf-8"))["network"]
    network = build(shipped)
    assert json.dumps(describe("conv_lstm", network)) == json.dumps(shipped)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"fixed_windows": [["brain", 40.0, 81.0]]},
        {"fixed_windows": [list(window) for window in FIXED_WINDOWS]},
        {"config": {"size": 64, "width": 3}},
        {"config": {"size": 63}},
    ],
)
def test_another_name_window_or_configuration_is_refused(change: dict[str, object]) -> None:
    """Serving must never apply other arithmetic than training did."""
    description = {**describe("bhcnet", small("bhcnet")), **change}
    with pytest.raises(ValueError, match=r"manifest|multiple"):
        build(description)


def test_the_registry_loads_neither_torchvision_nor_timm() -> None:
    """Serving the paper's network must not pay for those of the comparison."""
    code = (
        "import sys; from service.model.registry import NETWORKS; NETWORKS['bhcnet'](); "
        "sys.exit(bool({'torchvision', 'timm'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=root, timeout=240, check=False).returncode == 0
