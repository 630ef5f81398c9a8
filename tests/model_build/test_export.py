"""Export: a written folder verifies, reloads to the same logits, and every fault is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model_build.export import (
    PRETRAINED,
    load_folder,
    model_folder,
    store_tag,
    write_folder,
)
from service.artifact import (
    GOLDEN_FILE,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    ArtifactError,
    verify_folder,
)
from service.model.conv_lstm import ConvLstm
from service.model.registry import build
from tests.model_build.phantom_set import SIZE, slice_set

FACTS: dict[str, Any] = {
    "thresholds": (0.5,) * 6,
    "temperatures": (1.0,) * 6,
    "biases": (0.0,) * 6,
    "training": {"data": "none"},
    "evaluation": {},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of a small untrained network."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("export") / "model"
    source = slice_set(2)
    golden = torch.from_numpy(source.voxels), torch.from_numpy(source.windows)
    write_folder(path, ConvLstm(SIZE).eval(), "conv_lstm", "9.9", golden, FACTS)
    return path


def test_a_written_folder_verifies_and_reloads_to_bit_identical_logits(folder: Path) -> None:
    """Manifest alone rebuilds the network; its golden logits come out again."""
    manifest = verify_folder(folder)
    network = build(manifest.network).eval()
    network.load_state_dict(load_file(folder / WEIGHTS_FILE))
    golden = load_file(folder / GOLDEN_FILE)
    with torch.inference_mode():
        rows = [
            network(golden["voxels_hu"][i : i + 1], golden["windows"][i : i + 1]) for i in range(2)
        ]
    assert torch.equal(torch.cat(rows), golden["logits"])
    assert manifest.training == {"data": "none"}


def test_the_tag_names_version_and_weights(folder: Path) -> None:
    """Equal tags are equal weights."""
    manifest = verify_folder(folder)
    assert store_tag(manifest) == f"ich_convlstm:9.9-{manifest.weights_sha256[:8]}"
    assert store_tag(manifest, "ich_convlstm_quick").startswith("ich_convlstm_quick:9.9-")


@pytest.mark.parametrize("name", [WEIGHTS_FILE, GOLDEN_FILE])
def test_one_flipped_bit_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    """The SHA-256 of the manifest finds it."""
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    data = bytearray((broken / name).read_bytes())
    data[-1] ^= 1
    (broken / name).write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match="SHA-256"):
        verify_folder(broken)


def test_files_can_be_read_by_another_user(folder: Path) -> None:
    """The service in the container is not the user who built the image."""
    for name in (WEIGHTS_FILE, GOLDEN_FILE, MANIFEST_FILE):
        assert (folder / name).stat().st_mode & 0o044 == 0o044


def test_the_pretrained_folder_of_the_repository_is_whole() -> None:
    """Hashes, labels and fingerprint fit; the manifest says how and on what it was trained."""
    manifest = verify_folder(PRETRAINED)
    assert "synthetic" in manifest.training["data"]
    assert manifest.training["recipe"]["name"] in ("cpu", "gpu")
    for fact in ("slices", "patients", "seconds", "hardware"):
        assert manifest.training[fact]
    assert "not a medical device" in manifest.notice
    assert manifest.evaluation["test"]["slices"] > 500


def test_a_folder_is_loaded_with_its_network(folder: Path) -> None:
    """The loaded network gives the golden logits and is in evaluation mode."""
    manifest, network = load_folder(model_folder(str(folder)))
    golden = load_file(folder / GOLDEN_FILE)
    with torch.inference_mode():
        found = network(golden["voxels_hu"][:1], golden["windows"][:1])
    assert torch.equal(found, golden["logits"][:1])
    assert not network.training
    assert manifest.version == "9.9"


def test_a_model_of_the_store_is_found_by_its_tag(folder: Path, tmp_path: Path) -> None:
    """Saved and looked up by another process, the files are the same; no other tag is answered."""
    code = """
import sys
from pathlib import Path
from model_build.export import model_folder, save_to_store
from service.artifact import ArtifactError, verify_folder
folder = model_folder(save_to_store(Path(sys.argv[1])))
assert folder != Path(sys.argv[1])
assert verify_folder(folder) == verify_folder(Path(sys.argv[1]))
try:
    model_folder("no_such_model:1")
except ArtifactError as error:
    print(error)
"""
    # bentoml warns on import, which is an error inside pytest.
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "no_such_model:1 is neither a folder nor a model of the store" in result.stdout
