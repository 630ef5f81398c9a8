"""Protocol: what every engine of the network offers, whatever it runs on.

(B, 512, 512) int16 HU + (B, 2) float32 windows -> engine -> (B, 6) float32 logits
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Facts = Mapping[str, str | int | float]


class InferenceEngine(Protocol):
    """One way to compute the network; `forward` is called by one thread at a time."""

    @property
    def name(self) -> str:
        """Which implementation: the values of ICH_ENGINE but `auto`."""

    @property
    def precision(self) -> str:
        """Of the products: `fp32` or `bf16`."""

    @property
    def efficient_batch(self) -> int:
        """Slices in one forward beyond which a slice gets no cheaper."""

    def forward(
        self, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Logits float32 (B, 6) in the order of `service.types.LABELS`.

        Args:
            voxels_hu: int16 (B, 512, 512) in HU; B is 1 or more.
            windows: float32 (B, 2), centre and width of each slice's own window in HU.
        """

    def facts(self) -> Facts:
        """What else there is to know of it, for GET /v1/model: data, no free text."""

    def use(self) -> None:
        """Called once, when the engine is the one that will answer."""

    def close(self) -> None:
        """Free what it holds; it is not called again."""


@runtime_checkable
class OverlappingEngine(InferenceEngine, Protocol):
    """An engine with a device of its own: while that computes, the next batch is put together."""

    @property
    def in_flight(self) -> int:
        """How many threads may call `staging` and `forward` at once; 2 keep a device busy."""

    def staging(self, count: int) -> AbstractContextManager[npt.NDArray[np.int16]]:
        """Lend a buffer int16 (count, 512, 512) that `forward` takes without another copy.

        Entering waits for a free one; the thread that borrowed it calls `forward` before leaving.
        """
