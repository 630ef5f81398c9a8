"""Companions: exported, verified and served like any network; those that cannot be are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from model_build.export import write_folder
from service.artifact import ArtifactError
from service.engine.predictor import Predictor
from service.model import xception
from service.model.registry import NETWORKS
from tests.model_build.test_export import FACTS
from tests.service.engine.test_predictor import hu_slice


def export(folder: Path, name: str, **config: int) -> Path:
    """A model folder of an untrained network with one golden slice."""
    torch.manual_seed(8)
    network = NETWORKS[name](**config).eval()
    golden = torch.from_numpy(hu_slice(0).voxels_hu[None].copy()), torch.tensor([[40.0, 80.0]])
    manifest = write_folder(folder / "model", network, name, "1", golden, FACTS)
    assert manifest.network["name"] == name
    return folder / "model"


@pytest.mark.parametrize(
    ("name", "size"),
    [("bhcnet", 128), ("bhcnet_lstm", 64), ("cnn_128", 64), ("cnn_rnn", 64), ("densenet121", 64),
     ("resnext50", 64), ("xception", 64)],
)  # fmt: skip
def test_a_companion_is_served_like_the_network_of_the_paper(
    tmp_path: Path, name: str, size: int
) -> None:
    """Verified, replayed, and its six logits are those of the network that was exported."""
    folder = export(tmp_path, name, size=size)
    predictor = Predictor.load(folder, device="cpu", threads=1, max_batch=2)
    predictor.self_check()
    found = predictor.forward([hu_slice(0), hu_slice(1)])
    torch.manual_seed(8)
    network = NETWORKS[name](size=size).eval()
    voxels = torch.from_numpy(np.stack([hu_slice(seed).voxels_hu for seed in (0, 1)]))
    with torch.inference_mode():
        expected = network(voxels, torch.tensor([[35.0, 90.0], [36.0, 90.0]])).numpy()
    assert found.shape == (2, 6)
    np.testing.assert_allclose(found, expected, atol=2e-4, rtol=1e-3)
    assert np.abs(found[0] - found[1]).max() > 0


def test_a_network_of_one_logit_is_never_ready(tmp_path: Path) -> None:
    """The binary form agrees with its own golden vectors and still cannot answer."""
    folder = export(tmp_path, "bhcnet", outputs=1)
    predictor = Predictor.load(folder, device="cpu", threads=1, max_batch=1)
    with pytest.raises(ArtifactError, match="no usable logits"):
        predictor.self_check()


def test_a_network_whose_package_is_absent_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An artifact error like any other, so the service says not ready instead of dying."""
    folder = export(tmp_path, "xception", size=64)

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(xception, "import_module", absent)
    with pytest.raises(ArtifactError, match="missing package"):
        Predictor.load(folder, device="cpu")
