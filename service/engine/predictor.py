"""Predictor: owns device and weights, and proves both before the first patient.

model folder -> verify hashes -> build the network -> load weights -> golden replay on torch
-> choice of the engine (`service.engine.choice`) -> warm-up
forward: HuSlice x B -> (B, 512, 512) int16 + (B, 2) float32 -> engine -> (B, 6) float32 logits
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
from service.engine import candidates
from service.engine.choice import Choice, Golden, Wish, choose
from service.engine.protocol import InferenceEngine, OverlappingEngine
from service.engine.torch_engine import TorchEngine
from service.model.denormals import flush_denormals
from service.model.host_memory import keep_freed_pages
from service.model.registry import Network, build
from service.types import LABELS, SLICE_SIZE, DefaultWindow, HuSlice

Voxels = npt.NDArray[np.int16]


class Predictor:
    """A verified network on one device; `forward` may be called by `in_flight` threads at once."""

    def __init__(
        self,
        network: Network,
        manifest: Manifest,
        device: torch.device,
        max_batch: int,
        *,
        threads: int = 1,
        wish: Wish | None = None,
    ) -> None:
        self.manifest = manifest
        self.device = device
        self._network = network
        self._most = max_batch
        self._threads = threads
        self._wish = wish or Wish()
        self._golden: dict[str, Tensor] = {}
        reference = TorchEngine(network, device, max_batch)
        self.choice = Choice(reference, "not chosen yet")
        self._overlapping: OverlappingEngine | None = None
        self._buffer = _new_buffer(0)  # of the batches of an engine without its own

    @property
    def max_batch(self) -> int:
        """The most slices that one forward takes."""
        return min(self._most, self.choice.engine.efficient_batch)

    @property
    def in_flight(self) -> int:
        """How many threads may call `forward` at once: as many as the engine takes."""
        return self._overlapping.in_flight if self._overlapping else 1

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = "auto",
        threads: int = 0,
        max_batch: int = 16,
        wish: Wish | None = None,
    ) -> Predictor:
        """Verify a model folder and put its network on a device.

        Args:
            folder: weights, manifest and golden vectors (see `service.artifact`).
            device: "cpu", "cuda" or "auto" (a GPU when there is one).
            threads: CPU threads of the network, 0 leaves torch's default.
            max_batch: most slices in one forward; an engine may take fewer.
            wish: engine and precision as set; `self_check` chooses.

        Raises:
            ArtifactError: hash, manifest, weights or device are not what they must be.
        """
        manifest = verify_folder(folder)
        target = _device(device)
        threads = threads or torch.get_num_threads()
        if target.type == "cpu":
            keep_freed_pages()
            torch.set_num_threads(threads)
        try:
            network = build(manifest.network)
            network.load_state_dict(load_file(folder / WEIGHTS_FILE), strict=True)
            flush_denormals(network)  # weights exported before this was done at export
            predictor = cls(network, manifest, target, max_batch, threads=threads, wish=wish)
            predictor._golden = load_file(folder / GOLDEN_FILE)
        except ImportError as error:
            raise ArtifactError("the network of the manifest needs a missing package") from error
        except (ValueError, RuntimeError, OSError) as error:
            raise ArtifactError("the weights do not fit the network of the manifest") from error
        return predictor

    def forward(self, slices: Sequence[HuSlice]) -> npt.NDArray[np.float32]:
        """Logits float32 (len(slices), 6) in the order of the manifest's labels.

        A lone slice goes to the engine as it is. Several are put side by side in a buffer, the
        engine's own where it has one: the one copy of pixels between decode and device.
        """
        windows = np.array([(s.window.center, s.window.width) for s in slices], np.float32)
        engine, count = self.choice.engine, len(slices)
        if self._overlapping:
            with self._overlapping.staging(count) as buffer:
                return engine.forward(_side_by_side(slices, buffer), windows)
        if count == 1:
            return engine.forward(slices[0].voxels_hu[np.newaxis], windows)
        if len(self._buffer) < count:
            self._buffer = _new_buffer(max(count, self.max_batch))
        return engine.forward(_side_by_side(slices, self._buffer[:count]), windows)

    def self_check(self) -> None:
        """Replay the golden vectors, choose the engine, and warm up what it will be asked for.

        Raises:
            ArtifactError: a logit is not finite or differs by more than the manifest allows, or
                the engine that the settings ask for may not answer.
        """
        golden = self._replayed()
        reference = self.choice.engine
        place = candidates.Place(self.device, self._threads, self._most)
        first, absence = candidates.first(self._network, place, self._wish)
        made: list[InferenceEngine] = [*first]

        def spare() -> Sequence[InferenceEngine]:
            made.extend(found := candidates.spare(self._network, place, self._wish))
            return found

        terms = self.manifest, self._wish, absence
        self._take(choose(reference, first, golden, *terms, spare=spare))
        for engine in made:
            if engine is not self.choice.engine:
                engine.close()
        self.choice.engine.use()
        self._warm_up()

    def _take(self, choice: Choice) -> None:
        """Let the chosen engine answer from now on."""
        engine = choice.engine
        self.choice = choice
        self._overlapping = engine if isinstance(engine, OverlappingEngine) else None

    def _replayed(self) -> Golden:
        """Replay the golden vectors, each alone, on the reference."""
        try:
            voxels, windows = self._golden["voxels_hu"].numpy(), self._golden["windows"].numpy()
            expected = self._golden["logits"].numpy()
            tolerance = self.manifest.golden_tolerance["float32"]
        except KeyError as error:
            raise ArtifactError("the golden vectors are incomplete") from error
        forward = self.choice.engine.forward
        rows = [forward(voxels[i : i + 1], windows[i : i + 1]) for i in range(len(voxels))]
        found = np.concatenate(rows) if rows else np.empty(0, np.float32)
        # A network of one logit agrees with itself and still cannot answer for six labels.
        usable = bool(rows) and found.shape == expected.shape == (len(rows), len(LABELS))
        if not usable or not np.isfinite(found).all():
            raise ArtifactError("the golden replay gave no usable logits")
        if float(np.abs(found - expected).max()) > tolerance:
            raise ArtifactError("the golden replay differs from the logits of the build")
        return Golden(voxels, windows)

    def _warm_up(self) -> None:
        """Run the smallest and the largest batch, so that no patient pays for first use."""
        air = np.full((SLICE_SIZE, SLICE_SIZE), -1000, dtype=np.int16)
        blank = HuSlice(air, DefaultWindow(40.0, 80.0))
        for count in {1, self.max_batch}:
            self.forward([blank] * count)


def _new_buffer(count: int) -> Voxels:
    return np.empty((count, SLICE_SIZE, SLICE_SIZE), np.int16)


def _side_by_side(slices: Sequence[HuSlice], buffer: Voxels) -> Voxels:
    """The voxels of the slices in the buffer, which has a place for each."""
    return np.stack([item.voxels_hu for item in slices], out=buffer)


def _device(name: str) -> torch.device:
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ArtifactError("ICH_DEVICE is cuda and no CUDA device is usable")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
