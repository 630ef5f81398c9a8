"""Fakes: an engine and a decoder whose answers can be worked out by hand.

A slice is a number: all its voxels have that value and its logits are value + 0, 1, ... 5.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from service.artifact import Manifest
from service.types import LABELS, Action, Decoded, DefaultWindow, HuSlice, Identity, Violation

POISON, NAN, INFINITE = 666, 777, 888


def make_slice(value: int) -> HuSlice:
    """A slice whose voxels are all `value` (small: the fake engine reads one voxel)."""
    return HuSlice(np.full((2, 2), value, np.int16), DefaultWindow(40.0, 80.0))


def logits_of(value: int) -> npt.NDArray[np.float32]:
    """What the fake engine answers for a slice of that value."""
    return (value + np.arange(len(LABELS))).astype(np.float32)


@dataclass
class FakePredictor:
    """Records the batches that it ran; `hold` keeps the engine thread inside a forward."""

    max_batch: int = 16
    in_flight: int = 1
    extra_rows: int = 0
    batches: list[list[int]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        """Start with an engine that nothing holds."""
        self.released.set()
        self._at_once = 0

    def hold(self) -> None:
        """Let the next forward wait for `released`."""
        self.released.clear()

    def forward(self, slices: Sequence[HuSlice]) -> npt.NDArray[np.float32]:
        """Logits (len(slices) + extra_rows, 6); raises when a slice is poisoned."""
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        values = [int(item.voxels_hu[0, 0]) for item in slices]
        self.batches.append(values)
        try:
            self.released.wait(10)
            if POISON in values:
                raise RuntimeError("poisoned")
        finally:
            self._at_once -= 1
        rows = [logits_of(value) for value in values]
        rows += rows[:1] * self.extra_rows
        logits = np.stack(rows)
        logits[[value == NAN for value in values] + [False] * self.extra_rows, 2] = np.nan
        logits[[value == INFINITE for value in values] + [False] * self.extra_rows, 5] = np.inf
        return logits

    @property
    def executed(self) -> list[int]:
        """The values of all slices that reached a forward, in order."""
        return [value for batch in self.batches for value in batch]


@dataclass
class FakeDecoder:
    """Reads `b"7"` as a slice of value 7; other bodies look up their outcome in `outcomes`."""

    outcomes: dict[bytes, Decoded | Exception] = field(default_factory=dict)
    delays_s: dict[bytes, float] = field(default_factory=dict)
    calls: int = 0

    async def decode(self, body: bytes | memoryview, timeout_s: float) -> Decoded:
        """The outcome of the body, after its delay."""
        self.calls += 1
        key = bytes(body)
        await asyncio.sleep(self.delays_s.get(key, 0.0))
        outcome = self.outcomes.get(key)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome or Decoded(Identity(f"1.2.{int(key)}"), make_slice(int(key)))


def make_violation(action: Action, code: str = "some_rule") -> Violation:
    """A violation that differs from any other only in action and code."""
    return Violation(code, action, "A fixed sentence.")


def make_manifest(**changed: object) -> Manifest:
    """A valid manifest with an identity calibration and thresholds of one half."""
    fields: dict[str, object] = {
        "name": "ich",
        "version": "1.0.0",
        "network": {"kind": "fake", "windows": [[40, 80]]},
        "labels": LABELS,
        "thresholds": (0.5,) * 6,
        "temperatures": (1.0,) * 6,
        "biases": (0.0,) * 6,
        "weights_sha256": "0" * 64,
        "golden_sha256": "0" * 64,
        "golden_tolerance": {"cpu": 1e-4},
    }
    return Manifest(**{**fields, **changed})  # type: ignore[arg-type]
