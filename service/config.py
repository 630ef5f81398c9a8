"""Config: every setting of the service, read once from the environment (prefix `ICH_`).

There is no preprocessing setting here: windows, labels and thresholds are data of the model's
manifest, so a deployment cannot disagree with its training.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024
# Pairs of thresholds of the input gate: the first must not be over the second.
ORDERED: tuple[tuple[str, str], ...] = (
    ("kvp_lowest", "kvp_min"),
    ("kvp_min", "kvp_max"),
    ("kvp_max", "kvp_highest"),
    ("thickness_min_mm", "thickness_max_mm"),
    ("spacing_min_mm", "spacing_max_mm"),
    ("max_tilt_deg", "max_off_axis_deg"),
)


def available_cores() -> int:
    """Cores that this process may run on (respects CPU affinity and so most containers)."""
    return len(os.sched_getaffinity(0))


class Settings(BaseSettings):
    """Validated at start; a bad or unknown value ends the process before it serves."""

    model_config = SettingsConfigDict(env_prefix="ICH_", frozen=True, extra="forbid")

    model: str = Field(
        default="ich_convlstm:latest", description="Tag of the model in the BentoML store"
    )
    http_host: str = Field(default="127.0.0.1", description="Address the HTTP API binds to")
    http_port: int = Field(default=3000, ge=1, le=65535, description="Port of the HTTP API")
    grpc_host: str = Field(default="127.0.0.1", description="Address the gRPC API binds to")
    grpc_port: int = Field(default=50051, ge=1, le=65535, description="Port of the gRPC API")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the network runs; `auto` takes a GPU when there is one"
    )
    engine: Literal["auto", "torch", "torch_compiled", "native", "cuda"] = Field(
        default="auto",
        description="`torch`, `torch_compiled`, `native`, `cuda`; `auto`: fastest that is as torch",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="`fp32` forbids lower precision; else the manifest's measurements decide",
    )
    threads: int = Field(
        default=0, ge=0, le=256, description="CPU threads of the network; 0 takes every core"
    )
    max_batch: int = Field(default=16, ge=1, le=1024, description="Most slices in one forward pass")
    max_wait_ms: float = Field(
        default=5.0,
        ge=0,
        le=1000,
        description="Longest wait of the oldest slice for batch mates, ms",
    )
    max_queue: int = Field(
        default=256, ge=1, le=65536, description="Most admitted slices; more is refused with 503"
    )
    max_files: int = Field(default=64, ge=1, le=1024, description="Most files in one request")
    max_slice_bytes: int = Field(
        default=4 * MIB, ge=1024, le=256 * MIB, description="Largest single DICOM object, bytes"
    )
    max_object_bytes: int = Field(
        default=64 * MIB,
        ge=1024,
        le=1024 * MIB,
        description="Largest single multi-frame DICOM object, bytes",
    )
    max_inflated_bytes: int = Field(
        default=4 * MIB,
        ge=1024,
        le=1024 * MIB,
        description="Largest data set after inflating the deflated syntax, bytes",
    )
    max_elements: int = Field(
        default=4096, ge=64, le=1_000_000, description="Most elements and items of one object"
    )
    max_frame_elements: int = Field(
        default=1024, ge=64, le=65536, description="Most elements that describe one frame"
    )
    max_depth: int = Field(default=16, ge=1, le=1024, description="Deepest nesting of sequences")
    max_header_bytes: int = Field(
        default=MIB // 2,
        ge=1024,
        le=64 * MIB,
        description="Most bytes in front of the pixels, without functional groups",
    )
    max_fragments: int = Field(
        default=64, ge=1, le=65536, description="Most fragments of one compressed frame"
    )
    max_frames: int = Field(
        default=128, ge=1, le=4096, description="Most frames of one object; each takes a place"
    )
    min_matrix: int = Field(default=64, ge=2, le=512, description="Fewest rows or columns, pixels")
    max_matrix: int = Field(
        default=1024, ge=512, le=4096, description="Most rows or columns, pixels"
    )
    contrast: Literal["skip", "warn"] = Field(
        default="skip", description="What a named contrast agent leads to"
    )
    lossy: Literal["warn", "refuse"] = Field(
        default="warn", description="What lossy compressed pixels lead to"
    )
    content: Literal["skip", "warn"] = Field(
        default="skip", description="What a picture that cannot be a head leads to"
    )
    max_tilt_deg: float = Field(
        default=30.0, ge=0, le=60, description="Warn beyond this angle to the axial plane, degrees"
    )
    max_off_axis_deg: float = Field(
        default=36.87, ge=0, le=60, description="Skip beyond this angle to the axial plane, degrees"
    )
    kvp_lowest: float = Field(default=70.0, ge=0, description="Skip below this tube voltage, kV")
    kvp_highest: float = Field(default=150.0, ge=0, description="Skip above this tube voltage, kV")
    kvp_min: float = Field(default=100.0, ge=0, description="Warn below this tube voltage, kV")
    kvp_max: float = Field(default=140.0, ge=0, description="Warn above this tube voltage, kV")
    thickness_min_mm: float = Field(
        default=0.5, ge=0, description="Warn below this slice thickness, mm"
    )
    thickness_max_mm: float = Field(
        default=10.0, ge=0, description="Warn above this slice thickness, mm"
    )
    spacing_min_mm: float = Field(
        default=0.3, ge=0, description="Warn below this pixel spacing, mm"
    )
    spacing_max_mm: float = Field(
        default=0.75, ge=0, description="Warn above this pixel spacing, mm"
    )
    min_age_years: float = Field(
        default=18.0, ge=0, le=150, description="Warn below this age, years"
    )
    max_request_bytes: int = Field(
        default=64 * MIB,
        ge=1024,
        le=1024 * MIB,
        description="Largest request body or gRPC message, bytes",
    )
    body_timeout_s: float = Field(
        default=10.0, gt=0, le=600, description="Longest time to receive a request body, s"
    )
    deadline_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Deadline of a request; a client may only shorten it, s",
    )
    decode_workers: int = Field(
        default=0, ge=0, le=256, description="Decode processes; 0 takes one per core, at most 8"
    )
    decode_timeout_s: float = Field(
        default=1.0, gt=0, le=60, description="A decode that takes longer is killed, s"
    )
    decode_memory_mib: int = Field(
        default=1024, ge=256, le=16384, description="Address space of one decode process, MiB"
    )
    shutdown_grace_s: float = Field(
        default=10.0, ge=0, le=600, description="Longest wait for admitted work after SIGTERM, s"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is logged"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse limits that contradict each other: they would only fail at the first patient."""
        if self.max_queue < self.max_files:
            raise ValueError("ICH_MAX_QUEUE must be at least ICH_MAX_FILES")
        if self.max_request_bytes < self.max_slice_bytes:
            raise ValueError("ICH_MAX_REQUEST_BYTES must be at least ICH_MAX_SLICE_BYTES")
        for low, high in ORDERED:
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"ICH_{low.upper()} must not be over ICH_{high.upper()}")
        return self

    @property
    def largest_object_bytes(self) -> int:
        """The longest DICOM object of any kind, bytes; the decoder tells the kinds apart."""
        return max(self.max_slice_bytes, self.max_object_bytes)

    @property
    def decode_worker_count(self) -> int:
        """The number of decode processes that `decode_workers` stands for."""
        return self.decode_workers or min(available_cores(), 8)

    @property
    def thread_count(self) -> int:
        """The number of CPU threads that `threads` stands for."""
        return self.threads or available_cores()


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Names with our prefix that are no setting: a typing error must not pass unnoticed."""
    prefix = "ICH_"
    known = {prefix + name.upper() for name in Settings.model_fields}
    return sorted(name for name in environment if name.startswith(prefix) and name not in known)


class ConfigError(Exception):
    """The environment holds an unknown or invalid setting; the text says which, in plain words."""


def read_settings() -> Settings:
    """Read the settings from the environment of this process.

    Raises:
        ConfigError: a name with our prefix is no setting, or a value is not valid.
    """
    unknown = unknown_settings(os.environ)
    if unknown:
        raise ConfigError(f"unknown setting: {', '.join(unknown)}")
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigError("; ".join(_plain(item) for item in error.errors())) from error


def _plain(item: ErrorDetails) -> str:
    name = "".join(f"ICH_{str(part).upper()}: " for part in item["loc"][:1])
    return name + item["msg"].removeprefix("Value error, ")
