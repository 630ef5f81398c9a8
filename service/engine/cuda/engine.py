"""CudaEngine: the fused kernels on a GPU, batches through pinned double buffers and CUDA graphs.

voxels, windows ─> pieces of at most `largest` ─> Pipeline, two at a time ─> logits (B, 6)
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from service.engine.cuda.pipeline import SLOTS, Pipeline
from service.engine.cuda.sizes import efficient_size, graph_sizes, padded, pieces
from service.engine.protocol import Facts
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network
from service.types import LABELS, SLICE_SIZE

if TYPE_CHECKING:
    from service.engine.cuda.fused import FusedNetwork

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
LEAST_CAPABILITY = (8, 0)  # of the device, for bfloat16 products; nothing older is worth a kernel
ROUNDS = 3  # forwards of each size at the start; the best counts


class CudaUnavailable(Exception):
    """There is no cuda engine for this network on this machine; the text says why."""


class CudaEngine:
    """The paper's network on one GPU, in one precision of the products.

    Nothing is compiled or put on the device before the first forward.

    Args:
        fused: the network on the device.
        precision: `fp32` or `bf16`, that of `fused`.
        device: a CUDA device.
        max_batch: most slices in one forward; a larger batch runs in pieces.
    """

    name = "cuda"

    def __init__(
        self, fused: FusedNetwork, precision: str, device: torch.device, max_batch: int
    ) -> None:
        self.precision = precision
        self.efficient_batch = max_batch
        self._fused = fused
        self._device = device
        self._most = max_batch
        self._sizes = graph_sizes(max_batch)
        self._pipeline: Pipeline | None = None

    @torch.inference_mode()
    def forward(
        self, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Logits float32 (B, 6) of int16 (B, 512, 512) HU and float32 (B, 2) windows."""
        return self._in_pieces(voxels_hu, windows, self._sizes)

    def facts(self) -> Facts:
        """Device, its name, and the most slices in one CUDA graph."""
        gpu = torch.cuda.get_device_name(self._device)
        return {"device": self._device.type, "gpu": gpu, "largest_graph": self._sizes[-1]}

    @torch.inference_mode()
    def use(self) -> None:
        """Measure the sizes, keep those up to the efficient one, and capture all of them."""
        largest = efficient_size(self._sizes, self._ms_per_slice)
        self._sizes = tuple(size for size in self._sizes if size <= largest)
        self.efficient_batch = min(self._most, SLOTS * largest)

    def close(self) -> None:
        """Free the graphs and buffers."""
        self._pipeline = None
        torch.cuda.empty_cache()

    def _in_pieces(
        self,
        voxels_hu: npt.NDArray[np.int16],
        windows: npt.NDArray[np.float32],
        sizes: tuple[int, ...],
    ) -> npt.NDArray[np.float32]:
        """Run a batch in pieces; while one is computed the next is on its way."""
        pipeline = self._started()
        logits = np.empty((len(voxels_hu), len(LABELS)), np.float32)
        waiting: list[tuple[int, slice]] = []
        for number, piece in enumerate(pieces(len(voxels_hu), sizes[-1])):
            if len(waiting) == SLOTS:
                place, earlier = waiting.pop(0)
                logits[earlier] = pipeline.collect(place)
            size = padded(piece.stop - piece.start, sizes)
            pipeline.submit(number % SLOTS, voxels_hu[piece], windows[piece], size)
            waiting.append((number % SLOTS, piece))
        for place, earlier in waiting:
            logits[earlier] = pipeline.collect(place)
        return logits

    def _started(self) -> Pipeline:
        if self._pipeline is None:
            self._pipeline = Pipeline(self._fused, self._device, self._sizes[-1])
        return self._pipeline

    def _ms_per_slice(self, size: int) -> float:
        """Best time of a slice in `SLOTS` pieces of `size`, the copies included."""
        count = SLOTS * size
        voxels = np.zeros((count, SLICE_SIZE, SLICE_SIZE), np.int16)
        windows = np.tile(np.array([40.0, 80.0], np.float32), (count, 1))
        sizes = tuple(each for each in self._sizes if each <= size)
        self._in_pieces(voxels, windows, sizes)  # captures
        best = np.inf
        for _ in range(ROUNDS):
            started = perf_counter()
            self._in_pieces(voxels, windows, sizes)
            best = min(best, perf_counter() - started)
        return float(best) * 1000 / count


def cuda_engines(network: Network, device: torch.device, max_batch: int) -> list[CudaEngine]:
    """One engine for each precision.

    Args:
        network: on the device, float32.
        device: a CUDA device.
        max_batch: most slices in one forward.

    Raises:
        CudaUnavailable: with the reason, when there is none.
    """
    if not isinstance(network, ConvLstm) or network.config["size"] != SLICE_SIZE:
        raise CudaUnavailable("the cuda kernels are for conv_lstm at 512 pixels only")
    try:
        from service.engine.cuda.fused import FusedNetwork
    except ImportError as error:
        raise CudaUnavailable("the triton package is not installed") from error
    if torch.cuda.get_device_capability(device) < LEAST_CAPABILITY:
        raise CudaUnavailable("the cuda kernels need a GPU of compute capability 8.0 or later")
    try:
        return [
            CudaEngine(FusedNetwork(network, dtype), precision, device, max_batch)
            for precision, dtype in DTYPES.items()
        ]
    except ValueError as error:
        raise CudaUnavailable(str(error)) from error
