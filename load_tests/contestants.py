"""Contestants: every way to run the network that this machine has, under one name each.

torch as the service runs it comes first, the reference of all. torch by default (all windows in one
batch, the allocator as it is) runs in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from load_tests.apart import Apart
from load_tests.outside import outside_engines
from service.artifact import WEIGHTS_FILE, Manifest, verify_folder
from service.engine.compiled_engine import CompiledTorchEngine, CompileUnavailable
from service.engine.cuda.engine import cuda_engines
from service.engine.native.engine import NativeEngine
from service.engine.native.library import variants
from service.engine.protocol import InferenceEngine
from service.engine.torch_engine import CPU_MAX_BATCH, TorchEngine
from service.model.conv_lstm import ConvLstm
from service.model.denormals import flush_denormals
from service.model.registry import build

TORCH_GPU_BATCH = 16

Floats = npt.NDArray[np.float32]
Forward = Callable[[npt.NDArray[np.int16], Floats], Floats]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One engine: its name in the table, its precision, how to call it, and whose peak it has.

    `torch_threads` while it runs: torch's idle threads spin beside an engine that has its own.
    """

    name: str
    precision: str
    forward: Forward
    torch_threads: int = 1
    variant: str = ""


def load_network(folder: Path) -> tuple[ConvLstm, Manifest]:
    """The network of a model folder, for the CPU."""
    manifest = verify_folder(folder)
    network = build(manifest.network)
    if not isinstance(network, ConvLstm):
        raise SystemExit("the benchmark is for the paper's network")
    network.load_state_dict(load_file(folder / WEIGHTS_FILE))
    flush_denormals(network)
    return network.eval().requires_grad_(False), manifest


@contextmanager
def contestants(
    network: ConvLstm, folder: Path, threads: int, *, compiled: bool
) -> Iterator[list[Contestant]]:
    """All of them, the reference first; `folder` holds the network, `compiled` begins slowly."""
    with ExitStack() as stack:
        default = stack.enter_context(Apart(default_torch, folder, threads))
        yield [
            *_of_torch(network, threads, compiled=compiled),
            Contestant("torch default", "fp32", default),
            *_native(network, threads),
            *(Contestant(*each) for each in outside_engines(network, threads)),
        ]


@contextmanager
def gpu_contestants(network: ConvLstm, most: int) -> Iterator[list[Contestant]]:
    """Torch on the GPU first, in float32, then the kernels; no peak is measured on a GPU."""
    device = torch.device("cuda")
    network.to(device)
    torch_forward = partial(_in_pieces, TorchEngine(network, device, TORCH_GPU_BATCH).forward)
    found = [Contestant("torch, GPU", "fp32", torch_forward, variant="gpu")]
    found += [
        Contestant(each.name, each.precision, each.forward, variant="gpu")
        for each in cuda_engines(network, device, most)
    ]
    yield found


def default_torch(folder: Path, threads: int) -> Forward:
    """The network as a script would run it: contiguous, every window in one batch."""
    torch.set_num_threads(threads)
    network, _ = load_network(folder)

    @torch.inference_mode()
    def forward(voxels_hu: npt.NDArray[np.int16], windows: Floats) -> Floats:
        windowed = network.windows(torch.from_numpy(voxels_hu), torch.from_numpy(windows))
        features = network.trunk(windowed.flatten(0, 1)).view(*windowed.shape[:2], -1)
        found: Floats = network.sequence_logits(features).numpy()
        return found

    return forward


def _in_pieces(forward: Forward, voxels_hu: npt.NDArray[np.int16], windows: Floats) -> Floats:
    """A forward of any batch, in pieces that leave torch memory for its maps."""
    starts = range(0, len(voxels_hu), TORCH_GPU_BATCH)
    parts = [slice(start, start + TORCH_GPU_BATCH) for start in starts]
    return np.concatenate([forward(voxels_hu[part], windows[part]) for part in parts])


def _of_torch(network: ConvLstm, threads: int, *, compiled: bool) -> Iterator[Contestant]:
    cpu = torch.device("cpu")
    for precision in ("fp32", "bf16"):
        each: InferenceEngine = TorchEngine(network, cpu, CPU_MAX_BATCH, precision)
        yield Contestant("torch", precision, each.forward, threads)
    if not compiled:
        return
    try:
        for precision in ("fp32", "bf16"):
            each = CompiledTorchEngine(network, precision)
            yield Contestant("torch_compiled", precision, each.forward, threads)
    except CompileUnavailable as error:
        print(f"torch_compiled is left out: {error}")


def _native(network: ConvLstm, threads: int) -> Iterator[Contestant]:
    for variant in variants():
        for skip in (True, False):
            engine = NativeEngine(network, variant, threads, skip_air=skip)
            name = f"native {variant.name}" + ("" if skip else ", no skip")
            yield Contestant(name, variant.precision, engine.forward, variant=variant.name)
