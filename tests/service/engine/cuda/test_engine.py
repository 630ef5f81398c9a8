"""CudaEngine: absent with a reason, batches in order through two slots, the answers of torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from service.engine import candidates
from service.engine.choice import Wish
from service.engine.cuda import engine as module
from service.engine.cuda.engine import CudaEngine, CudaUnavailable, cuda_engines
from service.engine.native.engine import NativeUnavailable
from service.engine.torch_engine import TorchEngine
from service.model.conv_lstm import ConvLstm
from tests.service.engine.native.networks import WINDOWS, nasty_network, slices

CUDA = torch.device("cuda")


class FakePipeline:
    """Answers a slice with its first voxel; a slot must be collected before it is used again."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.slots: dict[int, npt.NDArray[np.float32]] = {}

    def submit(
        self,
        place: int,
        voxels_hu: npt.NDArray[np.int16],
        windows: npt.NDArray[np.float32],
        size: int,
    ) -> None:
        """Keep the answer in its slot."""
        assert place not in self.slots
        assert len(voxels_hu) == len(windows) <= size
        self.slots[place] = np.repeat(voxels_hu[:, 0, :1].astype(np.float32), 6, axis=1)
        self.log.append(f"submit {place} in {size}")

    def collect(self, place: int) -> npt.NDArray[np.float32]:
        """Give the answer out."""
        self.log.append(f"collect {place}")
        return self.slots.pop(place)


@pytest.fixture
def pipeline() -> FakePipeline:
    """An empty one."""
    return FakePipeline()


def engine_with(pipeline: FakePipeline, max_batch: int) -> CudaEngine:
    """An engine that never sees a device."""
    engine = CudaEngine(None, "bf16", CUDA, max_batch)  # type: ignore[arg-type]
    engine._pipeline = pipeline  # type: ignore[assignment]
    return engine


def numbered(count: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    """Tiny slices that hold their own number."""
    voxels = np.repeat(np.arange(count, dtype=np.int16), 4).reshape(count, 2, 2)
    return voxels, np.tile(np.array([40.0, 80.0], np.float32), (count, 1))


def test_a_batch_runs_in_pieces_and_comes_back_in_order(pipeline: FakePipeline) -> None:
    """Seven slices in graphs of two: both slots are filled before the first is waited for."""
    engine = engine_with(pipeline, 4)
    logits = engine.forward(*numbered(7))
    assert logits.dtype == np.float32
    assert logits.tolist() == [[float(number)] * 6 for number in range(7)]
    assert pipeline.log == [
        "submit 0 in 2", "submit 1 in 2", "collect 0",
        "submit 0 in 2", "collect 1", "submit 1 in 1", "collect 0", "collect 1",
    ]  # fmt: skip
    assert not pipeline.slots


def test_a_single_slice_runs_in_the_graph_of_one(pipeline: FakePipeline) -> None:
    """Nothing is computed beside it."""
    assert engine_with(pipeline, 16).forward(*numbered(1)).shape == (1, 6)
    assert pipeline.log == ["submit 0 in 1", "collect 0"]


def test_in_use_it_takes_two_pieces_of_the_efficient_size(
    pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 is no better than 2 here, so a batch is 4 slices in two graphs of 2."""
    engine = engine_with(pipeline, 16)
    assert engine.efficient_batch == 16
    times = {1: 1.0, 2: 0.5, 4: 0.5}
    monkeypatch.setattr(engine, "_ms_per_slice", times.__getitem__)
    engine.use()
    assert engine.efficient_batch == 4
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "H200")
    assert engine.facts() == {"device": "cuda", "gpu": "H200", "largest_graph": 2}
    engine.forward(*numbered(4))
    assert pipeline.log[:2] == ["submit 0 in 2", "submit 1 in 2"]


def test_a_size_is_measured_in_two_pieces_of_it(pipeline: FakePipeline) -> None:
    """Once to capture, then timed."""
    assert engine_with(pipeline, 16)._ms_per_slice(2) > 0
    once = ["submit 0 in 2", "submit 1 in 2", "collect 0", "collect 1"]
    assert pipeline.log == once * (1 + module.ROUNDS)


def test_other_networks_have_no_cuda_engine() -> None:
    """Sizes and architectures for which the engine is not built are named."""
    for network in (ConvLstm(size=256), torch.nn.Linear(1, 1)):
        with pytest.raises(CudaUnavailable, match="conv_lstm at 512"):
            cuda_engines(network, CUDA, 1)  # type: ignore[arg-type]


def test_an_old_gpu_or_weights_without_a_number_have_no_cuda_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reason is said; a GPU that is new enough has an engine for each precision."""
    pytest.importorskip("triton")
    network = nasty_network()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    with pytest.raises(CudaUnavailable, match="capability"):
        cuda_engines(network, CUDA, 4)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    found = cuda_engines(network, CUDA, 4)
    assert [(each.name, each.precision) for each in found] == [("cuda", "fp32"), ("cuda", "bf16")]
    network.trunk.state_dict()["units.0.0.bias"][0] = float("inf")
    with pytest.raises(CudaUnavailable, match="not finite"):
        cuda_engines(network, CUDA, 4)


@pytest.mark.parametrize(
    ("device", "wish", "asked"),
    [("cuda", "auto", "cuda"), ("cuda", "cuda", "cuda"), ("cuda", "native", ""),
     ("cpu", "auto", "native"), ("cpu", "cuda", ""), ("cuda", "torch", "")],
)  # fmt: skip
def test_the_device_decides_which_engines_are_tried(
    device: str, wish: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No engine of another device answers for the one that was asked for; absence has a reason."""
    tried: list[str] = []

    def absent(name: str, error: type[Exception]) -> None:
        tried.append(name)
        raise error("absent")

    where = "service.engine.candidates"
    monkeypatch.setattr(f"{where}.cuda_engines", lambda *_: absent("cuda", CudaUnavailable))
    monkeypatch.setattr(f"{where}.native_engines", lambda *_: absent("native", NativeUnavailable))
    place = candidates.Place(torch.device(device), 1, 4)
    found, absence = candidates.first(ConvLstm(256), place, Wish(wish))
    assert list(found) == []
    assert tried == ([asked] if asked else [])
    assert absence == ("absent" if asked else "")


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(("place", "limit"), [(0, 1e-3), (1, 0.3)])
def test_on_a_gpu_it_gives_the_logits_of_torch(place: int, limit: float) -> None:
    """Five slices in pieces of two, alone, and again once it is in use; bfloat16 roughly."""
    voxels, network = slices(), nasty_network()
    expected = TorchEngine(network, torch.device("cpu"), 1).forward(voxels, WINDOWS)
    engine = cuda_engines(network.to(CUDA), CUDA, 4)[place]
    together = engine.forward(voxels, WINDOWS)
    np.testing.assert_allclose(together, expected, atol=limit)
    engine.use()
    assert 1 <= engine.efficient_batch <= 4
    alone = [engine.forward(voxels[i : i + 1], WINDOWS[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-4)
    assert engine.facts()["device"] == "cuda"
    engine.close()
