"""CompiledTorchEngine: compiled once, at the first forward; the same logits as torch."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch._inductor
from torch import Tensor, nn

from service.engine import compiled_engine
from service.engine.compiled_engine import CompiledTorchEngine, CompileUnavailable
from service.engine.torch_engine import TorchEngine
from service.model.conv_lstm import ConvLstm

CPU = torch.device("cpu")
Function = Callable[..., Tensor]


class Tiny(nn.Module):
    """One convolution, and a mean that a window scales."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 6, 3)

    def forward(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """(B, H, W) and (B, 2) -> (B, 6)."""
        scaled = (voxels_hu.float() - default[:, :1, None]) / default[:, 1:, None]
        return self.layer(scaled[:, None]).relu().mean((2, 3))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[int, ...], ...]]:
    """Nothing is compiled; the shapes that each compiled function was called with."""
    shapes: list[tuple[tuple[int, ...], ...]] = []

    def uncompiled(function: Function) -> Function:
        def run(*inputs: Tensor) -> Tensor:
            shapes.append(tuple(tuple(each.shape) for each in inputs))
            return function(*inputs)

        return run

    monkeypatch.setattr(compiled_engine, "compiled", uncompiled)
    monkeypatch.setattr(compiled_engine, "use_cache", lambda: Path())
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    return shapes


def inputs(count: int, size: int) -> tuple[Any, Any]:
    """Random slices int16 and windows float32."""
    rng = np.random.default_rng(count)
    voxels = rng.integers(-50, 150, (count, size, size)).astype(np.int16)
    return voxels, rng.uniform(30, 90, (count, 2)).astype(np.float32)


def test_the_conv_lstm_runs_one_window_of_one_slice_at_a_time(seen: list[Any]) -> None:
    """Fixed shapes whatever the batch, and the logits of the network."""
    torch.manual_seed(2)
    network = ConvLstm(256).eval()
    batch = inputs(2, 256)
    found = CompiledTorchEngine(network).forward(*batch)
    assert seen == [((1, 256, 256), (1,), (1,))] * 20
    np.testing.assert_allclose(found, TorchEngine(network, CPU, 2).forward(*batch), atol=1e-5)


def test_another_network_runs_whole_slice_by_slice(seen: list[Any]) -> None:
    """Three slices: three calls of one shape; the windows reach their slices."""
    network: Any = Tiny().eval()
    batch = inputs(3, 16)
    found = CompiledTorchEngine(network).forward(*batch)
    assert seen == [((1, 16, 16), (1, 2))] * 3
    np.testing.assert_allclose(found, TorchEngine(network, CPU, 4).forward(*batch), atol=1e-6)


def test_bf16_is_what_autocast_makes_of_it(seen: list[Any]) -> None:
    """The same answer as eager torch under autocast, and another one than float32."""
    network: Any = Tiny().eval()
    batch = inputs(1, 64)
    engine = CompiledTorchEngine(network, "bf16")
    found = engine.forward(*batch)
    assert engine.precision == "bf16"
    assert found.dtype == np.float32
    eager = TorchEngine(network, CPU, 4, "bf16").forward(*batch)
    np.testing.assert_allclose(found, eager, atol=1e-6)
    assert np.abs(found - TorchEngine(network, CPU, 4).forward(*batch)).max() > 1e-5


def test_without_a_compiler_there_is_no_such_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before anything is tried; CXX is asked first, as torch does."""
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(CompileUnavailable, match=r"g\+\+"):
        CompiledTorchEngine(Tiny())  # type: ignore[arg-type]


def test_a_request_never_waits_for_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled once, in the thread of the start; other sizes from another thread run as written."""
    graphs: list[object] = []

    def backend(graph: Any, example: object) -> Function:
        graphs.append(graph)
        return graph.forward

    def compiled(function: Function) -> Function:
        return torch.compile(function, fullgraph=True, dynamic=False, backend=backend)

    monkeypatch.setattr(compiled_engine, "compiled", compiled)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    monkeypatch.setattr(compiled_engine, "use_cache", lambda: Path())
    torch._dynamo.reset()
    network: Any = Tiny().eval().requires_grad_(False)
    batch, larger = inputs(2, 16), inputs(3, 24)
    engine, reference = CompiledTorchEngine(network), TorchEngine(network, CPU, 4)
    np.testing.assert_allclose(engine.forward(*batch), reference.forward(*batch), atol=1e-5)
    assert len(graphs) == 1
    for each in (batch, larger):
        found: list[Any] = []
        thread = threading.Thread(
            target=lambda each=each, to=found: to.append(engine.forward(*each))
        )
        thread.start()
        thread.join()
        np.testing.assert_allclose(found[0], reference.forward(*each), atol=1e-5)
    assert len(graphs) == 1


def test_the_options_are_those_of_torch() -> None:
    """A name that torch no longer has would fail at the first start, not here."""
    assert set(compiled_engine.OPTIONS) <= set(torch._inductor.list_options())
