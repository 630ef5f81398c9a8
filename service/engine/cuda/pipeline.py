"""Pipeline: batches through CUDA graphs, so that the next one is copied while one is computed.

         pinned buffer ─ copy stream ─> device buffer ─ compute stream ─> graph ─> pinned logits
slot 0   |=====|-------->|=====|------------------------->|==========|
slot 1             |=====|-------->|=====|------------------------------->|==========|

Rows of a graph beyond the batch hold whatever was there before; nobody reads their logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from service.types import LABELS, SLICE_SIZE

SLOTS = 2
WARM_UPS = 3  # forwards before a capture: what compiles or is chosen at first use must be done

Compute = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Buffers:
    """int16 (n, 512, 512) HU and float32 (n, 2) windows, zero HU in the brain window at first."""

    voxels_hu: Tensor
    windows: Tensor

    def fill(self, count: int, voxels_hu: Tensor, windows: Tensor) -> None:
        """Copy the first `count` slices in, on the current stream."""
        self.voxels_hu[:count].copy_(voxels_hu[:count], non_blocking=True)
        self.windows[:count].copy_(windows[:count], non_blocking=True)


@dataclass(slots=True)
class Slot:
    """One place for a batch on its way: `arrived` on the device, `taken` from it, `done`."""

    pinned: Buffers
    device: Buffers
    logits: Tensor  # pinned float32 (n, 6)
    arrived: torch.cuda.Event = field(default_factory=torch.cuda.Event)
    taken: torch.cuda.Event = field(default_factory=torch.cuda.Event)
    done: torch.cuda.Event = field(default_factory=torch.cuda.Event)
    count: int = 0


@dataclass(frozen=True, slots=True)
class Captured:
    """The network as a CUDA graph for one batch size, with the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: Buffers
    logits: Tensor


class Pipeline:
    """The network on one device, for batches of at most `largest`; used by one thread at a time.

    Args:
        compute: logits (B, 6) of (B, 512, 512) int16 HU and (B, 2) float32 windows on the device.
        device: a CUDA device.
        largest: batch.
    """

    def __init__(self, compute: Compute, device: torch.device, largest: int) -> None:
        self._compute = compute
        self._device = device
        self._copies, self._computes = _stream(device), _stream(device)
        self._memory = torch.cuda.graph_pool_handle()  # the graphs run one after another: shared
        self._graphs: dict[int, Captured] = {}
        self._slots = [self._slot(largest) for _ in range(SLOTS)]
        # What the current stream put into the weights and buffers must be there.
        self._copies.wait_stream(torch.cuda.current_stream(device))
        self._computes.wait_stream(torch.cuda.current_stream(device))

    def submit(
        self,
        place: int,
        voxels_hu: npt.NDArray[np.int16],
        windows: npt.NDArray[np.float32],
        size: int,
    ) -> None:
        """Start a batch in slot `place`, whose last batch was collected, in the graph of `size`."""
        graph, slot = self._graph(size), self._slots[place]
        slot.count = len(voxels_hu)
        slot.pinned.fill(slot.count, torch.from_numpy(voxels_hu), torch.from_numpy(windows))
        with torch.cuda.stream(self._copies):
            self._copies.wait_event(slot.taken)
            slot.device.fill(slot.count, slot.pinned.voxels_hu, slot.pinned.windows)
            slot.arrived.record(self._copies)
        with torch.cuda.stream(self._computes):
            self._computes.wait_event(slot.arrived)
            graph.inputs.fill(slot.count, slot.device.voxels_hu, slot.device.windows)
            slot.taken.record(self._computes)
            graph.graph.replay()
            slot.logits[: slot.count].copy_(graph.logits[: slot.count], non_blocking=True)
            slot.done.record(self._computes)

    def collect(self, place: int) -> npt.NDArray[np.float32]:
        """Wait for the batch in slot `place`: its logits, float32 (B, 6)."""
        slot = self._slots[place]
        slot.done.synchronize()
        found: npt.NDArray[np.float32] = slot.logits[: slot.count].numpy().copy()
        return found

    def _graph(self, size: int) -> Captured:
        if size not in self._graphs:
            self._graphs[size] = self._capture(size)
        return self._graphs[size]

    def _capture(self, size: int) -> Captured:
        inputs = _buffers(size, device=self._device)
        self._computes.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._computes):
            for _ in range(WARM_UPS):
                self._compute(inputs.voxels_hu, inputs.windows)
        self._computes.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory, stream=self._computes):
            logits = self._compute(inputs.voxels_hu, inputs.windows)
        return Captured(graph, inputs, logits)

    def _slot(self, largest: int) -> Slot:
        logits = torch.empty(largest, len(LABELS), pin_memory=True)
        return Slot(_buffers(largest, pinned=True), _buffers(largest, device=self._device), logits)


def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _buffers(count: int, *, device: torch.device | None = None, pinned: bool = False) -> Buffers:
    shape = (count, SLICE_SIZE, SLICE_SIZE)
    voxels = torch.zeros(shape, dtype=torch.int16, device=device, pin_memory=pinned)
    windows = torch.empty(count, 2, device=device, pin_memory=pinned)
    windows[:, 0], windows[:, 1] = 40.0, 80.0
    return Buffers(voxels, windows)
