"""Inference: trunk features and logits of many slices, in the order of their indices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from model_build.dataset import View, in_order, loader
from model_build.slice_set import SliceSet
from model_build.training import Training
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network

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
    rows = [
        network(voxels, windows).float().cpu()
        for voxels, windows in _batches(source, indices, device, "evaluate", progress)
    ]
    result: npt.NDArray[np.float32] = torch.cat(rows).numpy()
    return result


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
    rows = []
    with torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision):
        for voxels, windows in _batches(source, indices, device, "features", progress):
            rows.append(network.features(voxels, windows).float().cpu())
    return torch.cat(rows)


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
    batches = loader(training.source, keys, view, training.workers)
    found = []
    with torch.autocast(device.type, torch.bfloat16, enabled=recipe.mixed_precision):
        for _, voxels, windows in tqdm(batches, "maps", disable=not training.progress):
            maps = network.maps(voxels.to(device), windows.to(device))
            found.append(maps.float().cpu())
    return torch.cat(found)


@torch.no_grad()
def settle_batch_norm(
    network: ConvLstm,
    source: SliceSet,
    indices: npt.NDArray[np.intp],
    device: torch.device,
) -> None:
    """Set the batch-norm statistics to the plain mean over all ten windows of these slices.

    The running mean of a short training lags behind its weights; evaluation needs the real one.
    """
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    network.to(device).eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch: a cumulative average
        norm.train()
    for voxels, windows in _batches(source, indices, device, "batch norm", False):
        network.features(voxels, windows)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


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
