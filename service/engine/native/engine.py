"""NativeEngine: the compiled kernel for units 1 to 5, torch for the dense layers and the LSTM.

voxels, windows ─> jobs, one per different window of a slice ─> Kernel.run ─> maps (B, 10, 800)
─> dense layers, LSTM, head (one hundredth of the work) ─> logits (B, 6)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from service.engine.native.folding import fold
from service.engine.native.library import Jobs, Kernel, Variant, library, variants
from service.engine.protocol import Facts
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network
from service.types import SLICE_SIZE

LARGEST_BATCH = 8
BUSY_SHARE = 0.95  # of the threads' time in a forward, in whole windows
OFFERED = (
    2  # variants of one precision: where the fastest disagrees with torch, the next may answer
)


class NativeUnavailable(Exception):
    """There is no native engine for this network on this machine; the text says why."""


class NativeEngine:
    """The paper's network with one variant of the kernel.

    Args:
        network: in evaluation mode, on the CPU, float32, of size 512.
        variant: one of `variants()`.
        threads: that share the windows of a batch.
        skip_air: only the benchmark says no; the answers are the same bit for bit.

    Raises:
        NativeUnavailable: the weights are not for this kernel.
    """

    name = "native"

    def __init__(
        self, network: ConvLstm, variant: Variant, threads: int, *, skip_air: bool = True
    ) -> None:
        try:
            self._kernel = Kernel(variant, fold(network.trunk), threads)
        except (ValueError, RuntimeError) as error:
            raise NativeUnavailable(str(error)) from error
        self._network = network
        self._skip_air = skip_air
        self.precision = variant.precision
        self.efficient_batch = efficient_batch(network.windows.count, self._kernel.threads)

    @torch.inference_mode()
    def forward(
        self, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Logits float32 (B, 6) of int16 (B, 512, 512) HU and float32 (B, 2) windows.

        Raises:
            ValueError: as `Kernel.run`.
        """
        features = self._network.trunk.dense(torch.from_numpy(self.maps(voxels_hu, windows)))
        found: npt.NDArray[np.float32] = self._network.sequence_logits(features).numpy()
        return found

    def maps(
        self, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """What the dense layers see of the ten windows: float32 (B, 10, 800), as `ConvLstm.maps`.

        Raises:
            ValueError: as `Kernel.run`.
        """
        lower, width = self._network.windows.limits(torch.from_numpy(windows))  # (B, 10) each
        jobs, place = different_windows(lower.numpy(), width.numpy())
        found: npt.NDArray[np.float32] = self._kernel.run(voxels_hu, jobs, skip_air=self._skip_air)[
            place
        ]
        return found

    def facts(self) -> Facts:
        """Device, threads and the instruction set of the kernel."""
        return {
            "device": "cpu",
            "threads": self._kernel.threads,
            "variant": self._kernel.variant.name,
        }

    def use(self) -> None:
        """Leave the cores to the kernel: torch's own threads spin for a while after each layer."""
        torch.set_num_threads(1)

    def close(self) -> None:
        """End the threads of the kernel."""
        self._kernel.close()


def native_engines(network: Network, threads: int) -> list[NativeEngine]:
    """Engines of each precision, with the fastest instruction sets that this processor has.

    Fastest first; which of them answers is found out at start (service/engine/choice.py).

    Raises:
        NativeUnavailable: with the reason, when there is none.
    """
    if library() is None:
        raise NativeUnavailable("the native library was not built")
    if not isinstance(network, ConvLstm) or network.config["size"] != SLICE_SIZE:
        raise NativeUnavailable("the native kernel is for conv_lstm at 512 pixels only")
    offered: list[Variant] = []
    for variant in variants():
        if [each.precision for each in offered].count(variant.precision) < OFFERED:
            offered.append(variant)
    if not offered:
        raise NativeUnavailable("the processor has neither AVX2 with FMA nor AVX-512")
    return [NativeEngine(network, variant, threads) for variant in offered]


def different_windows(
    lower: npt.NDArray[np.float32], width: npt.NDArray[np.float32]
) -> tuple[Jobs, npt.NDArray[np.intp]]:
    """The windows to run, and for each window of each slice which of them is its own.

    Equal windows of one slice run once: a default window of 40/80 is the brain window.

    Args:
        lower: float32 (B, T), lower limits in HU.
        width: float32 (B, T), widths in HU.

    Returns:
        n jobs, and intp (B, T) with values in 0..n-1.
    """
    jobs: dict[tuple[int, float, float], int] = {}
    place = np.empty(lower.shape, np.intp)
    for at in np.ndindex(lower.shape):
        place[at] = jobs.setdefault((at[0], float(lower[at]), float(width[at])), len(jobs))
    slices, lowers, widths = zip(*jobs, strict=True) if jobs else ((), (), ())
    found = Jobs(np.array(slices, np.int32), np.array(lowers, np.float32),
                 np.array(widths, np.float32))  # fmt: skip
    return found, place


def efficient_batch(windows: int, threads: int) -> int:
    """The fewest slices whose windows keep nearly all threads at work to the end.

    Also where each slice has a window less, as its own window often is one of the fixed ones.
    """
    for count in range(1, LARGEST_BATCH):
        jobs = (count * windows, count * (windows - 1))
        if all(each >= BUSY_SHARE * threads * -(-each // threads) for each in jobs):
            return count
    return LARGEST_BATCH
