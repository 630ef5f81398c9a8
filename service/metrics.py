"""Metrics: every Prometheus instrument, the functions that record, and the exposition.

api | rpc ──> record_request, render      pipeline ──> stages, slices, gate, probabilities
engine.batcher ──> batch size, depth      service.service ──> model, decoder restarts, dead workers

Label values come from closed sets (route templates, codes of our tables, label names), so neither
a UID nor a path can become a time series. With several workers the samples live in files under
PROMETHEUS_MULTIPROC_DIR and `render` sums them; prometheus_client reads that variable when it is
first imported, so it must be set before this module is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from service.types import LABELS, Status, Violation

MULTIPROC_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
STAGES: tuple[str, ...] = ("receive", "decode", "queue", "infer", "total")
OTHER = "other"  # an outcome that is no slug of ours: counted, never shown

Instrument = TypeVar("Instrument", Counter, Gauge, Histogram)

_SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}")
# From one parse (1 ms) to the longest wait that a client would sit through (10 s).
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
_TWENTIETHS = tuple(step / 20 for step in range(1, 21))

_REQUESTS = Counter(
    "ich_requests", "Requests answered or given up.", ("route", "transport", "outcome")
)
_STAGE = Histogram(
    "ich_stage_duration_seconds",
    "Wall time of an admitted request in each stage.",
    ("stage",),
    buckets=_SECONDS,
)
_BATCH = Histogram("ich_batch_size", "Slices in one forward pass.", buckets=_BATCHES)
_DEPTH = Gauge("ich_queue_depth", "Slices admitted and not finished.", multiprocess_mode="livesum")
_IN_FLIGHT = Gauge(
    "ich_in_flight_requests",
    "Requests being classified.",
    ("transport",),
    multiprocess_mode="livesum",
)
_SLICES = Counter("ich_slices", "Slices answered.", ("status",))
_GATE = Counter("ich_gate", "Rules of the gate that slices broke.", ("code", "action"))
_POSITIVES = Counter("ich_positives", "Slices at or over the threshold of a label.", ("label",))
_PROBABILITY = Histogram(
    "ich_probability", "Probabilities given, by label.", ("label",), buckets=_TWENTIETHS
)
_RESTARTS = Counter("ich_decoder_restarts", "Decode processes replaced after a death or a kill.")
# livemax, not the default: one series for all workers, gone with the last worker that loaded it.
_MODEL = Gauge(
    "ich_model_info",
    "Constant 1; the labels name the model.",
    ("name", "version", "fingerprint"),
    multiprocess_mode="livemax",
)

_ENGINE = Gauge(
    "ich_engine_info",
    "Constant 1; the labels name the engine and its precision.",
    ("engine", "precision"),
    multiprocess_mode="livemax",
)


_children: dict[tuple[object, ...], Any] = {}  # of the instruments, by instrument and labels


def _of(instrument: Instrument, *labels: str) -> Instrument:
    """The child for labels from closed sets; the library's own search costs as much as a count."""
    key = (instrument, *labels)
    child: Instrument | None = _children.get(key)
    if child is None:
        child = _children[key] = instrument.labels(*labels)
    return child


def _show_zeros() -> None:
    """Create the children of the closed sets, so that a rate exists before the first event."""
    for stage in STAGES:
        _STAGE.labels(stage)
    for status in Status:
        _SLICES.labels(status.value)
    for label in LABELS:
        _POSITIVES.labels(label)
        _PROBABILITY.labels(label)


_show_zeros()


def record_request(route: str, transport: str, outcome: str) -> None:
    """Count one request.

    Args:
        route: route template or RPC name from the skin's own table, never the path as sent.
        transport: `http` or `grpc`.
        outcome: `ok`, `cancelled`, or the stable code of the error.
    """
    known = outcome if _SLUG.fullmatch(outcome) else OTHER
    _of(_REQUESTS, route, transport, known).inc()


@contextmanager
def in_flight(transport: str) -> Iterator[None]:
    """Count a request as being classified while the block runs, however it ends."""
    gauge = _of(_IN_FLIGHT, transport)
    gauge.inc()
    try:
        yield
    finally:
        gauge.dec()


def record_stages(seconds: Mapping[str, float]) -> None:
    """Observe the stages that a request entered, in seconds, keyed by a name of `STAGES`."""
    for stage, value in seconds.items():
        _of(_STAGE, stage).observe(value)


def record_batch(size: int) -> None:
    """Observe the number of slices that went through one forward pass."""
    _BATCH.observe(size)


def set_queue_depth(depth: int) -> None:
    """Show how many slices this process has admitted and not finished."""
    _DEPTH.set(depth)


def record_slice(status: Status, violations: Sequence[Violation]) -> None:
    """Count one slice by status, and every rule it broke by code and action."""
    _of(_SLICES, status.value).inc()
    for violation in violations:
        _of(_GATE, violation.code, violation.action.value).inc()


def record_scores(probabilities: Mapping[str, float], findings: Sequence[str]) -> None:
    """Observe the probabilities of one classified slice and count its positive labels."""
    for label, probability in probabilities.items():
        _of(_PROBABILITY, label).observe(probability)
    for label in findings:
        _of(_POSITIVES, label).inc()


def record_decoder_restart() -> None:
    """Count one decode process that died or was killed and has been replaced."""
    _RESTARTS.inc()


def set_model(name: str, version: str, fingerprint: str) -> None:
    """Name the model that this process serves."""
    _MODEL.labels(name, version, fingerprint).set(1)


def set_engine(engine: str, precision: str) -> None:
    """Name the engine that answers in this process."""
    _ENGINE.labels(engine, precision).set(1)


def render() -> tuple[bytes, str]:
    """The exposition text of all workers and its content type."""
    if MULTIPROC_VARIABLE not in os.environ:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_dead_workers() -> int:
    """Drop the live gauges of processes that are gone; returns how many processes that was.

    A killed worker cannot reset its gauges: without this its last queue depth stays for ever.
    """
    if MULTIPROC_VARIABLE not in os.environ:
        return 0
    folder = Path(os.environ[MULTIPROC_VARIABLE])
    owners = {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*_*.db")}
    dead = [int(pid) for pid in owners if pid.isdigit() and not Path("/proc", pid).exists()]
    for pid in dead:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
    return len(dead)
