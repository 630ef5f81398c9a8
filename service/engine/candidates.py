"""Candidates: which engines could run a network on this machine, beside the reference.

first   what is fast and costs a start little: the native kernel, on a GPU the cuda kernels
spare   tried only where none of the first may answer, or by name: torch in bf16, torch.compile
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from service.engine.choice import Wish
from service.engine.compiled_engine import CompiledTorchEngine, CompileUnavailable
from service.engine.cuda.engine import CudaUnavailable, cuda_engines
from service.engine.native.engine import NativeUnavailable, native_engines
from service.engine.protocol import InferenceEngine
from service.engine.torch_engine import CPU_MAX_BATCH, TorchEngine
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network runs: device, threads on a CPU, most slices in one forward."""

    device: torch.device
    threads: int
    max_batch: int = CPU_MAX_BATCH


def first(network: Network, place: Place, wish: Wish) -> tuple[Sequence[InferenceEngine], str]:
    """The first candidates, and why there are none."""
    name = "native" if place.device.type == "cpu" else "cuda"
    if wish.engine not in ("auto", name):
        return (), ""
    try:
        if name == "cuda":
            return cuda_engines(network, place.device, place.max_batch), ""
        return native_engines(network, place.threads), ""
    except (NativeUnavailable, CudaUnavailable) as error:
        _absent(name, error)
        return (), str(error)


def spare(network: Network, place: Place, wish: Wish) -> Sequence[InferenceEngine]:
    """The second candidates; nothing is compiled before their first forward.

    By itself torch.compile is for the Conv-LSTM alone, whose ten windows share one small piece of
    code; another network compiles for minutes, and does so when it is asked for.
    """
    if place.device.type != "cpu":
        return ()
    found: list[InferenceEngine] = []
    if wish.engine in ("auto", "torch"):
        found.append(TorchEngine(network, place.device, CPU_MAX_BATCH, "bf16"))
    by_itself = wish.engine == "auto" and isinstance(network, ConvLstm)
    if by_itself or wish.engine == "torch_compiled":
        try:
            found += [CompiledTorchEngine(network, each) for each in ("fp32", "bf16")]
        except CompileUnavailable as error:
            _absent("torch_compiled", error)
    return found


def _absent(name: str, error: Exception) -> None:
    _log.info("engine_absent", extra={"engine": name, "reason": str(error)})
