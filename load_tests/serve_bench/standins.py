"""Standins: predictors without a network, for the ceiling of the serving layer alone.

They exist for the benchmark's own worker (`entry`); no setting of the service leads to them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from service.artifact import Manifest
from service.types import LABELS, HuSlice


@dataclass
class StandIn:
    """Answers with logits of 0 after `seconds` for each batch, however large it is.

    The time is slept, as a thread waits for a device: the cores stay free.
    """

    manifest: Manifest
    max_batch: int
    seconds: float = 0.0
    in_flight: int = 1
    choice: Any = field(init=False)

    def __post_init__(self) -> None:
        """Say what answers, as a chosen engine does."""
        engine = SimpleNamespace(name="torch", precision="fp32")
        self.choice = SimpleNamespace(engine=engine, report=self._report)

    def forward(self, slices: Sequence[HuSlice]) -> npt.NDArray[np.float32]:
        """Logits float32 (len(slices), 6), all 0."""
        if self.seconds:
            time.sleep(self.seconds)
        return np.zeros((len(slices), len(LABELS)), np.float32)

    def _report(self) -> Mapping[str, Any]:
        return {"name": "stand-in of the benchmark", "reason": "the benchmark's own worker"}
