"""Outside: ONNX Runtime and OpenVINO as references for our own engines, where installed.

Each runs windowing and the trunk's five units one window at a time, as they do best; the dense
layers and the LSTM are torch's. They are no dependency of the service: `uv sync --group bench`.
"""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from service.model.conv_lstm import ConvLstm
from service.model.windows import apply_window
from service.types import SLICE_SIZE

Floats = npt.NDArray[np.float32]
Maps = Callable[[Floats, Floats, Floats], Floats]
Named = tuple[str, str, Callable[..., Floats]]


class OneWindow(nn.Module):
    """What is handed to them: (1, S, S) float32 HU, lower limit (1,), width (1,) -> maps."""

    def __init__(self, network: ConvLstm) -> None:
        super().__init__()
        self.units = network.trunk.units

    def forward(self, voxels: Tensor, lower: Tensor, width: Tensor) -> Tensor:
        """(1, 8, 10, 10) at 512."""
        maps: Tensor = self.units(apply_window(voxels, lower, width).unsqueeze(1))
        return maps


class WindowByWindow:
    """The paper's network with its maps computed elsewhere."""

    def __init__(self, network: ConvLstm, maps: Maps) -> None:
        self._network = network
        self._maps = maps

    @torch.inference_mode()
    def forward(self, voxels_hu: npt.NDArray[np.int16], windows: Floats) -> Floats:
        """Logits float32 (B, 6) of int16 (B, 512, 512) HU and float32 (B, 2) windows."""
        limits = self._network.windows.limits(torch.from_numpy(windows))
        lower, width = (each.numpy() for each in limits)
        rows = []
        for item in range(len(voxels_hu)):  # one window of one slice: static shapes, in the cache
            one = voxels_hu[item : item + 1].astype(np.float32)
            for t in range(self._network.windows.count):
                at = (item, slice(t, t + 1))
                rows.append(self._maps(one, lower[at], width[at]).reshape(1, -1))
        maps = torch.from_numpy(np.concatenate(rows)).view(len(voxels_hu), -1, rows[0].shape[1])
        logits: Floats = self._network.sequence_logits(self._network.trunk.dense(maps)).numpy()
        return logits


def outside_engines(network: ConvLstm, threads: int) -> Iterator[Named]:
    """Name, precision and forward of each reference that is installed."""
    for make in (_onnxruntime, _openvino):
        try:
            yield from make(network, threads)
        except ImportError:
            continue


def _example() -> tuple[Tensor, Tensor, Tensor]:
    return torch.zeros(1, SLICE_SIZE, SLICE_SIZE), torch.zeros(1), torch.ones(1)


def _onnxruntime(network: ConvLstm, threads: int) -> Iterator[Named]:
    runtime = importlib.import_module("onnxruntime")
    importlib.import_module("onnx")
    stream, names = io.BytesIO(), ["voxels", "lower", "width"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own notes on its future
        torch.onnx.export(
            OneWindow(network).eval(), _example(), stream, input_names=names, dynamo=False
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(stream.getvalue(), options, ["CPUExecutionProvider"])

    def maps(*inputs: Floats) -> Floats:
        found: Floats = session.run(None, dict(zip(names, inputs, strict=True)))[0]
        return found

    yield f"onnxruntime {runtime.__version__}", "fp32", WindowByWindow(network, maps).forward


def _openvino(network: ConvLstm, threads: int) -> Iterator[Named]:
    openvino = importlib.import_module("openvino")
    example = _example()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's notes on the future of its tracer
        model = openvino.convert_model(
            OneWindow(network).eval(),
            example_input=example,
            input=[tuple(each.shape) for each in example],
        )
    for precision, hint in (("fp32", "f32"), ("bf16", "bf16")):
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # it would share a core with whoever else is pinned there
        }
        compiled = openvino.compile_model(model, "CPU", settings)

        def maps(*inputs: Floats, run: Any = compiled) -> Floats:  # noqa: ANN401 - openvino's class
            found: Floats = run(list(inputs))[0]
            return found

        yield f"openvino {_short(openvino)}", precision, WindowByWindow(network, maps).forward


def _short(package: Any) -> str:  # noqa: ANN401 - a module
    """The version without its build number."""
    return str(package.__version__).partition("-")[0]
