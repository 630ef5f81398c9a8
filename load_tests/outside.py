"""Outside: ONNX Runtime and OpenVINO as references for our own engines, where installed.

Each runs the trunk's five units one window at a time, as they do best; the rest is torch's. They
are no dependency of the service: `uv sync --group bench` brings them.
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

from service.model.conv_lstm import ConvLstm
from service.model.windows import apply_window
from service.types import SLICE_SIZE

Maps = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
Named = tuple[str, str, Callable[..., npt.NDArray[np.float32]]]


class WindowByWindow:
    """The paper's network with its maps computed elsewhere."""

    def __init__(self, network: ConvLstm, maps: Maps) -> None:
        self._network = network
        self._maps = maps

    @torch.inference_mode()
    def forward(
        self, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Logits float32 (B, 6) of int16 (B, 512, 512) HU and float32 (B, 2) windows."""
        voxels = torch.from_numpy(voxels_hu)
        lower, width = self._network.windows.limits(torch.from_numpy(windows))
        rows = []
        for item in range(len(voxels)):  # one window of one slice: static shapes, small work set
            one = voxels[item : item + 1]
            for t in range(self._network.windows.count):
                image = apply_window(one, lower[item, t : t + 1], width[item, t : t + 1])
                rows.append(self._maps(image[:, None].numpy()).reshape(1, -1))
        maps = torch.from_numpy(np.concatenate(rows)).view(len(voxels), -1, rows[0].shape[1])
        logits: npt.NDArray[np.float32] = self._network.sequence_logits(
            self._network.trunk.dense(maps)
        ).numpy()
        return logits


def outside_engines(network: ConvLstm, threads: int) -> Iterator[Named]:
    """Name, precision and forward of each reference that is installed."""
    for make in (_onnxruntime, _openvino):
        try:
            yield from make(network, threads)
        except ImportError:
            continue


def _example() -> torch.Tensor:
    return torch.zeros(1, 1, SLICE_SIZE, SLICE_SIZE)


def _onnxruntime(network: ConvLstm, threads: int) -> Iterator[Named]:
    runtime = importlib.import_module("onnxruntime")
    importlib.import_module("onnx")
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own notes on its future
        torch.onnx.export(
            network.trunk.units, (_example(),), stream, input_names=["x"], dynamo=False
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(stream.getvalue(), options, ["CPUExecutionProvider"])

    def maps(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = session.run(None, {"x": image})[0]
        return found

    yield f"onnxruntime {runtime.__version__}", "fp32", WindowByWindow(network, maps).forward


def _openvino(network: ConvLstm, threads: int) -> Iterator[Named]:
    openvino = importlib.import_module("openvino")
    shape = (1, 1, SLICE_SIZE, SLICE_SIZE)
    model = openvino.convert_model(network.trunk.units, example_input=_example(), input=[shape])
    for precision, hint in (("fp32", "f32"), ("bf16", "bf16")):
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = openvino.compile_model(model, "CPU", settings)

        def maps(image: npt.NDArray[np.float32], run: Any = compiled) -> npt.NDArray[np.float32]:  # noqa: ANN401 - a class of openvino
            found: npt.NDArray[np.float32] = run(image)[0]
            return found

        yield f"openvino {precision}", precision, WindowByWindow(network, maps).forward
