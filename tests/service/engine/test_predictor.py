"""Predictor: verified before it serves, the same alone and in a batch, honest about its device."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_build.export import write_folder, write_manifest
from service.artifact import MANIFEST_FILE, ArtifactError, verify_folder
from service.engine.choice import Wish
from service.engine.native import engine as native
from service.engine.native.library import variants
from service.engine.predictor import Predictor
from service.engine.torch_engine import CPU_MAX_BATCH
from service.model.conv_lstm import ConvLstm
from service.types import DefaultWindow, HuSlice
from tests.model_build.test_export import FACTS
from tests.service.engine.native.networks import needs_library


def hu_slice(seed: int) -> HuSlice:
    """A slice of random 64-pixel patches in soft-tissue Hounsfield units."""
    patches = np.random.default_rng(seed).integers(-50, 120, (8, 8)).astype(np.int16)
    return HuSlice(np.kron(patches, np.ones((64, 64), np.int16)), DefaultWindow(35.0 + seed, 90.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of an untrained full-size network."""
    torch.manual_seed(4)
    path = tmp_path_factory.mktemp("predictor") / "model"
    golden = torch.from_numpy(hu_slice(0).voxels_hu[None].copy()), torch.tensor([[40.0, 80.0]])
    write_folder(path, ConvLstm(window_head=True).eval(), "conv_lstm", "1", golden, FACTS)
    return path


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    """The folder on the CPU, checked."""
    loaded = Predictor.load(folder, device="cpu", threads=1, max_batch=2)
    loaded.self_check()
    return loaded


def test_a_batch_gives_what_single_calls_give(predictor: Predictor) -> None:
    """Three slices together and alone, to float32 rounding; and the three differ."""
    slices = [hu_slice(seed) for seed in range(3)]
    together = predictor.forward(slices)
    alone = np.concatenate([predictor.forward([item]) for item in slices])
    assert together.dtype == np.float32
    assert together.shape == (3, 6)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-6


def test_the_engine_is_chosen_and_said(folder: Path, predictor: Predictor) -> None:
    """After the self check the report names who answers; torch when the settings ask for it."""
    tried = [trial["name"] for trial in predictor.choice.report()["tried"]]
    assert (tried[:1] == ["torch"]) == bool(variants())
    asked = Predictor.load(folder, device="cpu", threads=1, max_batch=2, wish=Wish("torch"))
    asked.self_check()
    assert asked.choice.report()["name"] == "torch"
    expected, found = (each.forward([hu_slice(1)]) for each in (asked, predictor))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@needs_library
def test_the_native_engine_answers_where_it_is_asked_for(folder: Path) -> None:
    """The largest batch is then its own; the logits are torch's."""
    asked = Predictor.load(folder, device="cpu", threads=3, max_batch=16, wish=Wish("native"))
    asked.self_check()
    assert (asked.choice.engine.name, asked.choice.engine.precision) == ("native", "fp32")
    assert asked.max_batch == asked.choice.engine.efficient_batch


def test_without_a_library_torch_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler, no native engine, and still a service; asking for it by name is an error."""
    monkeypatch.setattr(native, "library", lambda: None)
    monkeypatch.setenv("CXX", "no-such-compiler")
    loaded = Predictor.load(folder, device="cpu", threads=1, max_batch=1)
    loaded.self_check()
    report = loaded.choice.report()
    assert (report["name"], report["reason"]) == ("torch", "the native library was not built")
    for name in ("native", "torch_compiled"):
        asked = Predictor.load(folder, device="cpu", threads=1, max_batch=1, wish=Wish(name))
        with pytest.raises(ArtifactError, match="ICH_ENGINE"):
            asked.self_check()


def test_a_cpu_takes_small_batches_only(folder: Path) -> None:
    """Larger ones gain nothing there and make the first slice wait."""
    assert Predictor.load(folder, device="cpu", threads=1, max_batch=64).max_batch == CPU_MAX_BATCH


def test_golden_logits_that_differ_are_refused(folder: Path, predictor: Predictor) -> None:
    """Weights that pass their hash but compute something else never become ready."""
    changed = Predictor.load(folder, device="cpu", threads=1, max_batch=1)
    changed._golden["logits"] = changed._golden["logits"] + 0.01
    with pytest.raises(ArtifactError, match="golden"):
        changed.self_check()


def test_golden_vectors_that_are_missing_are_refused(folder: Path) -> None:
    """An artifact that cannot prove itself is not served."""
    for broken in ({}, {"voxels_hu": torch.empty(0, 512, 512, dtype=torch.int16)}):
        loaded = Predictor.load(folder, device="cpu", threads=1, max_batch=1)
        loaded._golden = broken
        with pytest.raises(ArtifactError, match="golden"):
            loaded.self_check()


def test_weights_of_another_network_are_refused(folder: Path, tmp_path: Path) -> None:
    """A manifest that describes other layers than the file holds is an artifact error."""
    other = tmp_path / "model"
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    manifest = verify_folder(other)
    network = json.loads(json.dumps(manifest.network))
    network["config"]["lstm_units"] = 64
    write_manifest(other, replace(manifest, network=network))
    assert (other / MANIFEST_FILE).exists()
    with pytest.raises(ArtifactError, match="do not fit"):
        Predictor.load(other, device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_asking_for_cuda_without_one_is_refused(folder: Path) -> None:
    """The service must not fall back to a CPU that nobody asked for."""
    with pytest.raises(ArtifactError, match="CUDA"):
        Predictor.load(folder, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_logits_of_the_cpu(folder: Path, predictor: Predictor) -> None:
    """Within the tolerance of the manifest."""
    on_gpu = Predictor.load(folder, device="cuda", max_batch=8)
    on_gpu.self_check()
    slices = [hu_slice(seed) for seed in range(8)]
    expected = np.concatenate([predictor.forward([item]) for item in slices])
    np.testing.assert_allclose(on_gpu.forward(slices), expected, atol=2e-3)
