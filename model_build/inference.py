"""Inference: maps, trunk features and logits of many slices, in the order of their indices.

slices ─> convolutions: compiled kernel, all cores on a batch | torch, on a CPU a batch per core
       ─> dense layers ─> LSTM, head
The convolutions are nine tenths of the work; other networks than the Conv-LSTM run whole on torch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from model_build.dataset import View, ahead, in_order, loader
from model_build.embedding import tapped
from model_build.native_maps import native_engine
from model_build.slice_set import SliceSet
from model_build.training import Training
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network
from service.types import LABELS

_In = TypeVar("_In")
BATCH_CPU, BATCH_CUDA = 4, 32


@torch.inference_mode()
def logits_of(
    network: Network,
    source: SliceSet,
    indices: npt.NDArray[np.intp],
    device: torch.device,
    *,
    progress: bool = True,
) -> npt.NDArray[np.float32]:
    """Float32 logits (len(indices), 6) of un-augmented slices, as the service computes them."""
    network.to(device=device, memory_format=torch.channels_last).eval()
    batches = _batches(source, indices, device, "evaluate", progress)
    result: npt.NDArray[np.float32] = torch.cat(list(each_logits(network, batches, device))).numpy()
    return result


@torch.inference_mode()
def embedded_of(
    network: Network,
    source: SliceSet,
    indices: npt.NDArray[np.intp],
    device: torch.device,
    *,
    progress: bool = True,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """`logits_of` (N, 6), and what the last layer reads, (N, D), from the same pass."""
    network.to(device=device, memory_format=torch.channels_last).eval()
    with tapped(network) as embedding:

        def forward(batch: tuple[Tensor, Tensor]) -> Tensor:
            logits = network(*batch)
            return torch.cat([logits, embedding()], dim=1).float().cpu()

        batches = _batches(source, indices, device, "evaluate", progress)
        both: npt.NDArray[np.float32] = torch.cat(list(abreast(forward, batches))).numpy()
    return both[:, : len(LABELS)], both[:, len(LABELS) :]


@torch.inference_mode()
def each_logits(
    network: Network, batches: Iterator[tuple[Tensor, Tensor]], device: torch.device
) -> Iterator[Tensor]:
    """Float32 logits (B, 6) on the CPU of each batch of slices and windows, in their order.

    Args:
        network: in evaluation mode, on the device.
        batches: (B, S, S) in HU and (B, 2), on the device.
        device: of both.
    """
    engine = native_engine(network, device)
    if engine is None:
        yield from abreast(lambda batch: network(*batch).float().cpu(), batches)
        return
    with closing(engine):
        for batch in ahead(batches):
            yield torch.from_numpy(engine.forward(*_arrays(batch)))


@torch.inference_mode()
def features_of(
    network: ConvLstm,
    source: SliceSet,
    indices: npt.NDArray[np.intp],
    device: torch.device,
    *,
    mixed_precision: bool,
    progress: bool = True,
) -> Tensor:
    """Trunk features (len(indices), 10, 128) float32 on the CPU."""
    network.to(device).eval()
    batches = _batches(source, indices, device, "features", progress)
    maps = _maps(network, batches, device, mixed_precision=mixed_precision)
    return torch.cat([network.trunk.dense(each.to(device)).float().cpu() for each in maps])


@torch.inference_mode()
def maps_of(
    network: ConvLstm,
    training: Training,
    rows: npt.NDArray[np.intp],
    mine: npt.NDArray[np.intp],
    view: View,
) -> Tensor:
    """Maps behind the convolutions, (len(mine), 10, 800) float32 on the CPU, of `rows[mine]`.

    A slice's place in `rows` seeds its augmentation, so that the processes' shares add up to what
    one process would have computed.
    """
    device, recipe = training.place.device, training.recipe
    network.to(device).eval()
    size = BATCH_CUDA if device.type == "cuda" else BATCH_CPU
    keys = [
        [(0, int(place), int(rows[place])) for place in mine[start : start + size]]
        for start in range(0, len(mine), size)
    ]
    # Augmented slices are whole HU here, as every decoded one is: the kernel reads int16.
    batches = (
        (voxels.round().to(device, torch.int16), windows.to(device))
        for _, voxels, windows in tqdm(
            loader(training.source, keys, view, training.workers),
            "maps",
            disable=not training.progress,
        )
    )
    return torch.cat(list(_maps(network, batches, device, mixed_precision=recipe.mixed_precision)))


@torch.inference_mode()
def _maps(
    network: ConvLstm,
    batches: Iterator[tuple[Tensor, Tensor]],
    device: torch.device,
    *,
    mixed_precision: bool,
) -> Iterator[Tensor]:
    """Maps (B, 10, 800) float32 on the CPU of each batch; the kernel's precision is float32."""
    engine = native_engine(network, device)
    if engine is not None:
        with closing(engine):
            for batch in ahead(batches):
                yield torch.from_numpy(engine.maps(*_arrays(batch)))
        return

    def forward(batch: tuple[Tensor, Tensor]) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision):
            return network.maps(*batch).float().cpu()

    yield from abreast(forward, batches)


def _arrays(batch: tuple[Tensor, Tensor]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    voxels, windows = batch
    return voxels.numpy(), windows.numpy()


def abreast(forward: Callable[[_In], Tensor], batches: Iterable[_In]) -> Iterator[Tensor]:
    """Results of batches in their order; on a CPU one batch per core at a time.

    Several batches with one thread each are twice as fast as one with all threads: the layers are
    many and small. `forward` runs in inference mode, in a thread of its own.
    """
    threads = torch.get_num_threads()
    if torch.cuda.is_available() or threads == 1:
        yield from map(torch.inference_mode()(forward), batches)
        return
    torch.set_num_threads(1)
    try:
        # The processor's mode for denormals is each thread's own.
        with ThreadPoolExecutor(
            threads, initializer=torch.set_flush_denormal, initargs=(True,)
        ) as pool:
            under_way: deque[Future[Tensor]] = deque()
            for batch in batches:
                under_way.append(pool.submit(torch.inference_mode()(forward), batch))
                if len(under_way) > threads:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
    finally:
        torch.set_num_threads(threads)


def _batches(
    source: SliceSet,
    indices: npt.NDArray[np.intp],
    device: torch.device,
    title: str,
    progress: bool,
) -> Iterator[tuple[Tensor, Tensor]]:
    size = BATCH_CUDA if device.type == "cuda" else BATCH_CPU
    keys = in_order(indices, size)
    for _, voxels, windows in tqdm(
        loader(source, keys, View(), 0), title, total=len(keys), disable=not progress
    ):
        yield voxels.to(device), windows.to(device)
