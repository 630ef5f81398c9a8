"""Predictor: owns device and weights, and proves both before the first patient.

model folder -> verify hashes -> build the network -> load weights -> golden replay -> warm-up
forward: HuSlice x B -> (B, 512, 512) int16 + (B, 2) float32 -> network -> (B, 6) float32 logits
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor

from service.artifact import (
    GOLDEN_FILE,
    WEIGHTS_FILE,
    ArtifactError,
    Manifest,
    verify_folder,
)
from service.model.denormals import flush_denormals
from service.model.host_memory import keep_freed_pages
from service.model.registry import Network, build
from service.types import LABELS, SLICE_SIZE, DefaultWindow, HuSlice

# On a CPU a larger batch only makes its first slice wait: the network gains nothing from it.
CPU_MAX_BATCH = 4


class Predictor:
    """A verified network on one device; `forward` is called by one thread at a time."""

    def __init__(
        self, network: Network, manifest: Manifest, device: torch.device, max_batch: int
    ) -> None:
        self.manifest = manifest
        self.device = device
        self.max_batch = max_batch if device.type == "cuda" else min(max_batch, CPU_MAX_BATCH)
        self._golden: dict[str, Tensor] = {}
        self._network = network.eval().requires_grad_(False)
        self._network.to(device=device, memory_format=torch.channels_last)

    @classmethod
    def load(
        cls, folder: Path, *, device: str = "auto", threads: int = 0, max_batch: int = 16
    ) -> Predictor:
        """Verify a model folder and put its network on a device.

        Args:
            folder: weights, manifest and golden vectors (see `service.artifact`).
            device: "cpu", "cuda" or "auto" (a GPU when there is one).
            threads: CPU threads of the network, 0 leaves torch's default.
            max_batch: most slices in one forward; a CPU takes at most `CPU_MAX_BATCH`.

        Raises:
            ArtifactError: hash, manifest, weights or device are not what they must be.
        """
        manifest = verify_folder(folder)
        target = _device(device)
        if target.type == "cpu":
            keep_freed_pages()
            torch.set_num_threads(threads or torch.get_num_threads())
        try:
            network = build(manifest.network)
            network.load_state_dict(load_file(folder / WEIGHTS_FILE), strict=True)
            flush_denormals(network)  # weights exported before this was done at export
            predictor = cls(network, manifest, target, max_batch)
            predictor._golden = load_file(folder / GOLDEN_FILE)
        except ImportError as error:
            raise ArtifactError("the network of the manifest needs a missing package") from error
        except (ValueError, RuntimeError, OSError) as error:
            raise ArtifactError("the weights do not fit the network of the manifest") from error
        return predictor

    def forward(self, slices: Sequence[HuSlice]) -> npt.NDArray[np.float32]:
        """Logits float32 (len(slices), 6) in the order of the manifest's labels."""
        voxels = torch.from_numpy(np.stack([item.voxels_hu for item in slices]))
        windows = torch.tensor([(item.window.center, item.window.width) for item in slices])
        return self._logits(voxels, windows).numpy()

    @torch.inference_mode()
    def _logits(self, voxels: Tensor, windows: Tensor) -> Tensor:
        if self.device.type == "cuda":
            voxels = voxels.pin_memory()
        logits: Tensor = self._network(
            voxels.to(self.device, non_blocking=True), windows.to(self.device)
        )
        return logits.float().cpu()

    def self_check(self) -> None:
        """Replay the golden vectors and warm up every batch size up to `max_batch`'s own.

        Raises:
            ArtifactError: a logit is not finite or differs by more than the manifest allows.
        """
        try:
            voxels, windows = self._golden["voxels_hu"], self._golden["windows"]
            expected = self._golden["logits"]
            tolerance = self.manifest.golden_tolerance["float32"]
        except KeyError as error:
            raise ArtifactError("the golden vectors are incomplete") from error
        rows = [self._logits(voxels[i : i + 1], windows[i : i + 1]) for i in range(len(voxels))]
        found = torch.cat(rows) if rows else torch.empty(0)
        # A network of one logit agrees with itself and still cannot answer for six labels.
        usable = bool(rows) and found.shape == expected.shape == (len(rows), len(LABELS))
        if not usable or not bool(torch.isfinite(found).all()):
            raise ArtifactError("the golden replay gave no usable logits")
        worst = float((found - expected).abs().max())
        if worst > tolerance:
            raise ArtifactError("the golden replay differs from the logits of the build")
        self._warm_up()

    def _warm_up(self) -> None:
        """Run the smallest and the largest batch, so that no patient pays for first use."""
        air = np.full((SLICE_SIZE, SLICE_SIZE), -1000, dtype=np.int16)
        blank = HuSlice(air, DefaultWindow(40.0, 80.0))
        for count in {1, self.max_batch}:
            self.forward([blank] * count)


def _device(name: str) -> torch.device:
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ArtifactError("ICH_DEVICE is cuda and no CUDA device is usable")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
