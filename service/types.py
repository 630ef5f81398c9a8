"""Types: the frozen values that travel between the rooms, and the protocol of the engine.

bytes (Upload) -> Decoded (HuSlice | violations) -> Scores -> SliceResult -> Classification
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

# Order of the six outputs everywhere (columns of the RSNA 2019 csv; paper Table 1).
LABELS: tuple[str, ...] = (
    "epidural",
    "intraparenchymal",
    "intraventricular",
    "subarachnoid",
    "subdural",
    "any",
)
SLICE_SIZE = 512  # pixels; the matrix that the network of the paper is built for


class Action(StrEnum):
    """What a violated rule of the input gate leads to."""

    REJECT = "reject"  # not a usable DICOM object, or over a limit
    SKIP = "skip"  # valid, but a probability would be meaningless
    WARN = "warn"  # classified, outside the validated range
    FIX = "fix"  # classified after a documented correction


class Kind(StrEnum):
    """The meaning of a failure; each transport maps all of them, and only them."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"  # media type or transfer syntax
    NOT_ASSESSABLE = "not_assessable"
    UNAVAILABLE = "unavailable"  # queue full, draining, not ready
    DEADLINE = "deadline"
    INTERNAL = "internal"


class Status(StrEnum):
    """The verdict on one slice."""

    CLASSIFIED = "classified"
    SKIPPED = "skipped"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule of the gate that an object broke. Names the element, never its value."""

    code: str
    action: Action
    message: str
    kind: Kind = Kind.NOT_ASSESSABLE
    keyword: str = ""
    tag: str = ""  # "GGGG,EEEE", empty where no single element is to blame


@dataclass(frozen=True, slots=True)
class DefaultWindow:
    """The window of the DICOM object itself: window 0 of the ten (paper Table 4), in HU."""

    center: float
    width: float
    substituted: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """UIDs of one instance, echoed to the client and nowhere else (never logs or metrics)."""

    sop_instance_uid: str = ""
    series_instance_uid: str = ""
    study_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class HuSlice:
    """One slice ready for the network: `voxels_hu` is int16 (512, 512) in Hounsfield units."""

    voxels_hu: npt.NDArray[np.int16]
    window: DefaultWindow


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decode and gate say of one image. `slice_hu` is None when it cannot be scored.

    `frame` is the number from 1 of one of the `frames` of a multi-frame object; None, and 1 frame,
    for what is said of an object as a whole. `further` are the verdicts on the frames behind the
    first, on the verdict of the first.
    """

    identity: Identity
    slice_hu: HuSlice | None
    violations: tuple[Violation, ...] = ()
    frame: int | None = None
    frames: int = 1
    further: tuple[Decoded, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """One object as received: its bytes and the file name as sent (None for a raw body)."""

    body: bytes | memoryview
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model answered.

    `assumed_prevalence` is the share of positive slices that the probabilities are calibrated for,
    by label; None where the manifest does not know it, empty for a manifest without the field.
    """

    name: str
    tag: str
    version: str
    assumed_prevalence: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SliceResult:
    """The answer for one image: upload `index` from 0, and of several frames `frame` from 1."""

    index: int
    name: str | None
    identity: Identity
    status: Status
    probabilities: Mapping[str, float] | None = None
    findings: tuple[str, ...] = ()
    any_consistent: bool | None = None
    window: DefaultWindow | None = None
    warnings: tuple[Violation, ...] = ()
    errors: tuple[Violation, ...] = ()
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """The answer for one request; `timings_ms` is keyed by stage name."""

    request_id: str
    model: ModelInfo
    slices: tuple[SliceResult, ...]
    timings_ms: Mapping[str, float] = field(default_factory=dict)


class Predictor(Protocol):
    """The engine as the batcher sees it."""

    @property
    def max_batch(self) -> int:
        """The most slices that one forward takes."""

    @property
    def in_flight(self) -> int:
        """How many threads may call `forward` at once."""

    def forward(self, slices: Sequence[HuSlice]) -> npt.NDArray[np.float32]:
        """Logits float32 (len(slices), 6) in the order of `LABELS`."""


class Decoder(Protocol):
    """The decode pool as the pipeline sees it."""

    async def decode(self, body: bytes | memoryview, timeout_s: float) -> Decoded:
        """Parse, check and convert one object; a bad one is a `Decoded` with violations.

        The frames of a multi-frame object behind the first are its `further`.
        """
