"""Engines: fakes whose answers and speed can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]


def reference_logits(voxels_hu: npt.NDArray[np.int16]) -> Logits:
    """Logits of the fake reference: the first voxel / 100, the same for all labels."""
    return np.repeat(voxels_hu[:, 0, 0, None].astype(np.float32) / 100, 6, axis=1)


class Clock:
    """A clock that only engines move."""

    now_s = 0.0

    def read(self) -> float:
        """Seconds."""
        return self.now_s


CLOCK = Clock()


@dataclass(eq=False)
class FakeEngine:
    """Answers like the reference, put through `wrong`; takes `delay_s` on `CLOCK`."""

    name: str = "native"
    precision: str = "fp32"
    wrong: Callable[[Logits], Logits] = lambda logits: logits
    delay_s: float = 0.0
    efficient_batch: int = 2
    forwards: int = 0
    log: list[str] = field(default_factory=list)

    def forward(self, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]) -> Logits:
        """Logits (B, 6)."""
        assert len(voxels_hu) == len(windows)
        self.forwards += 1
        CLOCK.now_s += self.delay_s
        return self.wrong(reference_logits(voxels_hu))

    def facts(self) -> dict[str, str]:
        """One fact."""
        return {"device": "fake"}

    def use(self) -> None:
        """Remembered."""
        self.log.append("use")

    def close(self) -> None:
        """Remembered."""
        self.log.append("close")
