"""CompiledTorchEngine: torch.compile with frozen weights, for CPUs without a native engine.

first forward ─> torch.compile writes C++, g++ compiles it (tens of seconds; from the cache: a few)
later         ─> slice by slice; the Conv-LSTM window by window, so that every shape is fixed
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from service.engine.compile_cache import use_cache
from service.engine.protocol import Facts
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network
from service.model.windows import apply_window

Run = Callable[[Tensor, Tensor], Tensor]
_F = TypeVar("_F", bound=Callable[..., Tensor])

# Frozen weights are laid out for the processor once. One thread compiles, in this process: the
# workers that torch would start for it stay for ever.
OPTIONS: dict[str, Any] = {"freezing": True, "compile_threads": 1}


class CompileUnavailable(Exception):
    """torch.compile cannot work on this machine; the text says why."""


class CompiledTorchEngine:
    """Any network of the registry on the CPU, compiled when `forward` is first called.

    Args:
        network: in evaluation mode, on the CPU, channels last.
        precision: "fp32", or "bf16" for the products that autocast gives to bfloat16.

    Raises:
        CompileUnavailable: there is no C++ compiler.
    """

    name = "torch_compiled"
    efficient_batch = 1  # all threads work on one slice

    def __init__(self, network: Network, precision: str = "fp32") -> None:
        # The compiler that torch looks for: CXX, else g++.
        if shutil.which(os.environ.get("CXX") or "g++") is None:
            raise CompileUnavailable("torch.compile needs g++, which is not on PATH")
        self.precision = precision
        self._run = _run_of(network)
        self._compiled = False

    @torch.inference_mode()
    def forward(
        self, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Logits float32 (B, 6) of int16 (B, 512, 512) HU and float32 (B, 2) windows.

        The first call compiles, and raises whatever torch or the compiler raises.
        """
        if not self._compiled:
            use_cache()
        # A start compiles, a request never does: what does not fit the code then runs as written.
        rows = []
        with (
            torch.compiler.set_stance("eager_on_recompile" if self._compiled else "default"),
            torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"),
        ):
            for at in range(len(voxels_hu)):
                one = slice(at, at + 1)
                voxels, window = torch.from_numpy(voxels_hu[one]), torch.from_numpy(windows[one])
                rows.append(self._run(voxels, window.clone()).float())
        self._compiled = True
        found: npt.NDArray[np.float32] = torch.cat(rows).numpy()
        return found

    def facts(self) -> Facts:
        """Device and threads."""
        return {"device": "cpu", "threads": torch.get_num_threads()}

    def use(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing beyond what is collected with the engine."""


def _run_of(network: Network) -> Run:
    """The network for one slice, (1, H, W) and (1, 2) -> (1, 6), compiled in part or whole."""
    if not isinstance(network, ConvLstm):
        return compiled(lambda voxels, window: network(voxels, window))
    trunk = network.trunk

    @compiled
    def maps(voxels: Tensor, lower: Tensor, width: Tensor) -> Tensor:
        return trunk.maps(apply_window(voxels, lower, width).unsqueeze(1))

    def run(voxels: Tensor, window: Tensor) -> Tensor:
        lower, width = network.windows.limits(window)  # (1, 10) each
        limits = zip(lower[0], width[0], strict=True)
        # Copies: every call gets limits with the same shape, strides and alignment.
        each = [maps(voxels, low[None].clone(), wide[None].clone()) for low, wide in limits]
        return network.sequence_logits(trunk.dense(torch.stack(each, dim=1)))

    return run


def compiled(function: _F) -> _F:
    """Compile a function for fixed shapes, with the weights it refers to as constants."""
    return cast(_F, torch.compile(function, fullgraph=True, dynamic=False, options=OPTIONS))
