"""Inference: order, errors and threads of batches abreast; the kernel and torch agree."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from model_build import inference
from model_build.dataset import View
from model_build.distributed import Place
from model_build.inference import abreast
from model_build.native_maps import native_engine
from model_build.recipes import RECIPES
from model_build.training import Training
from service.engine.native.engine import NativeEngine
from service.engine.native.library import library, variants
from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn
from tests.model_build.phantom_set import slice_set


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> int:
    """A number of threads, put back as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_batches(threads: int) -> None:
    """Also when the first batch takes longest; nothing records a gradient."""
    weight = torch.ones(1, requires_grad=True)

    def forward(batch: int) -> Tensor:
        time.sleep(0.02 if batch == 0 else 0.0)
        return weight * batch

    found = list(abreast(forward, iter(range(7))))
    assert torch.cat(found).tolist() == list(range(7))
    assert not any(value.requires_grad for value in found)
    assert torch.get_num_threads() == threads


def test_an_error_of_a_batch_reaches_the_caller(threads: int) -> None:
    """And the threads are as before."""

    def forward(batch: int) -> Tensor:
        if batch == 2:
            raise RuntimeError("of batch two")
        return torch.zeros(1)

    with pytest.raises(RuntimeError, match="of batch two"):
        list(abreast(forward, iter(range(5))))
    assert torch.get_num_threads() == threads


def test_batches_are_read_only_as_fast_as_they_are_needed(threads: int) -> None:
    """Thousands of slices would not fit the memory."""
    read: list[int] = []

    def batches() -> object:
        for batch in range(50):
            read.append(batch)
            yield torch.zeros(1)

    results = abreast(lambda batch: batch, batches())
    next(results)
    assert len(read) <= threads + 1
    results.close()


@pytest.fixture
def slices() -> list[tuple[Tensor, Tensor]]:
    """Two batches of head-like slices, 3 in all, and their windows."""
    generator = torch.Generator().manual_seed(5)
    voxels = torch.full((3, 512, 512), -1000, dtype=torch.int16)
    head = torch.randint(-100, 200, (3, 300, 260), generator=generator, dtype=torch.int16)
    voxels[:, 100:400, 120:380] = head
    windows = torch.tensor([[40.0, 80.0], [50.0, 120.0], [40.0, 80.0]])
    return [(voxels[:2], windows[:2]), (voxels[2:], windows[2:])]


def _network() -> ConvLstm:
    torch.manual_seed(3)
    return ConvLstm(window_head=True).eval()


@pytest.mark.skipif(library() is None or not variants(), reason="the native library is absent")
def test_the_kernel_computes_what_torch_does(
    slices: list[tuple[Tensor, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits and maps of all batches in order, up to rounding; and the kernel was really asked."""
    asked: list[int] = []
    plain = NativeEngine.maps

    def counted(engine: NativeEngine, *batch: object) -> object:
        asked.append(1)
        return plain(engine, *batch)

    monkeypatch.setattr(NativeEngine, "maps", counted)
    network = _network()
    with torch.inference_mode():
        expected = torch.cat([network(*batch) for batch in slices])
        expected_maps = torch.cat([network.maps(*batch) for batch in slices])
    cpu = torch.device("cpu")
    logits = torch.cat(list(inference.each_logits(network, iter(slices), cpu)))
    maps = torch.cat(list(inference._maps(network, iter(slices), cpu, mixed_precision=False)))
    assert len(asked) == 4
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(maps, expected_maps, atol=1e-3, rtol=1e-3)


def test_without_the_kernel_torch_computes(
    slices: list[tuple[Tensor, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where there is no compiler."""
    monkeypatch.setattr(inference, "native_engine", lambda *_: None)
    network = _network()
    with torch.inference_mode():
        expected = torch.cat([network(*batch) for batch in slices])
    found = torch.cat(list(inference.each_logits(network, iter(slices), torch.device("cpu"))))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_other_networks_sizes_and_devices_have_no_kernel() -> None:
    """The kernel is the paper's network at 512 pixels on a CPU."""
    cpu = torch.device("cpu")
    assert native_engine(SliceCnn(), cpu) is None
    assert native_engine(ConvLstm(256), cpu) is None
    assert native_engine(_network(), torch.device("cuda")) is None


@pytest.mark.skipif(library() is None or not variants(), reason="the native library is absent")
def test_augmented_slices_go_through_the_kernel_too() -> None:
    """Stage 3a stores maps of augmented slices: the same with the kernel and without."""
    voxels = np.repeat(np.repeat(slice_set(2).voxels, 2, axis=1), 2, axis=2)
    source = replace(slice_set(2), voxels=voxels)
    recipe = replace(RECIPES["quick"], split=(1.0, 0.0, 0.0), mixed_precision=False)
    parts = {"train": np.arange(2), "val": np.arange(0), "test": np.arange(0)}
    training = Training(recipe, source, parts, Place(0, 1, torch.device("cpu")), progress=False)
    rows, view, network = np.array([1, 0, 1]), View((3, 1)), _network()
    fast = inference.maps_of(network, training, rows, np.arange(3), view)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "native_engine", lambda *_: None)
        slow = inference.maps_of(network, training, rows, np.arange(3), view)
    torch.testing.assert_close(fast, slow, atol=1e-3, rtol=1e-3)
    assert not torch.equal(fast[0], fast[2])  # each place has its own augmentation
