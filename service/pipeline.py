"""Pipeline: the slice use case, bytes in, calibrated probabilities out, for both transports.

uploads ─> admit (all or none) ─> per upload, concurrently:
    decode pool: bytes -> frames (mostly one) ─> per frame, concurrently:
        gate -> HU ─┬─ REJECT | SKIP ─> verdict
                    └─> batcher ─> logits ─> calibration ─> findings
─> in the order of the request ─> Classification | NothingClassified

`timings_ms` says for how long at least one slice of the request was in a stage: `receive` (as the
transport measured it), `decode` (with the wait for a free process), `queue`, `infer` (forwards
that held one of its slices) and `total` (receive and everything here). Slices overlap, so the
stages need not add up to the total.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from service import metrics
from service.artifact import Manifest, calibrated
from service.config import Settings
from service.engine.batcher import Admission, Batcher
from service.engine.execution import Scored
from service.errors import (
    DeadlineExceeded,
    EmptyRequest,
    EngineFailure,
    TooLarge,
    TooManySlices,
    ensure_classified,
    first_failure,
)
from service.types import (
    LABELS,
    Classification,
    Decoded,
    Decoder,
    Identity,
    ModelInfo,
    SliceResult,
    Status,
    Upload,
)
from service.verdicts import as_violation, blocking, refused

# Start and end, s, of the clock of loop.time(); uvloop's own reading of it has whole ms only.
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Scoring:
    """What one slice came to, and when it was in which stage."""

    result: SliceResult
    spans: Mapping[str, Span]


class Pipeline:
    """Classifies requests with one decoder, one batcher and one model."""

    def __init__(
        self,
        decoder: Decoder,
        batcher: Batcher,
        manifest: Manifest,
        model: ModelInfo,
        settings: Settings,
        engine: Mapping[str, Any] | None = None,
    ) -> None:
        self.manifest = manifest
        self.model = model
        self.engine = engine  # what answers and why, as data; None where nobody chose
        self._decoder = decoder
        self._batcher = batcher
        self._settings = settings
        metrics.set_model(model.name, model.version, manifest.fingerprint())

    @property
    def ready(self) -> bool:
        """Whether a request would be admitted (while there is room)."""
        return self._batcher.running

    async def classify(
        self,
        uploads: Sequence[Upload],
        *,
        request_id: str,
        deadline: float,
        transport: str,
        receive_s: float = 0.0,
    ) -> Classification:
        """Classify the objects of one request; results are in the order of `uploads`.

        Cancelling the call takes its queued slices out of the batcher.

        Args:
            uploads: the objects as received.
            request_id: echoed in the answer.
            deadline: loop time, s; the whole request fails when it passes.
            transport: `http` or `grpc`.
            receive_s: what the transport took to receive the bodies.

        Raises:
            EmptyRequest: no upload holds a byte.
            TooManySlices: more than `max_files` uploads.
            Unavailable: one of its kinds; nothing was done.
            DeadlineExceeded: the deadline passed.
            NothingClassified: every slice was skipped, rejected or failed.
        """
        started = time.monotonic()
        if not any(len(upload.body) for upload in uploads):
            raise EmptyRequest
        if len(uploads) > self._settings.max_files:
            raise TooManySlices
        if deadline <= started:
            raise DeadlineExceeded
        timings = {"receive": receive_s} if receive_s > 0 else {}
        with metrics.in_flight(transport), self._batcher.admit(len(uploads)) as admission:
            try:
                scorings = await self._score_all(uploads, admission, deadline)
                timings |= _stage_seconds(scorings)
            finally:
                # Failures count as well: a latency without its timeouts looks better than it is.
                timings["total"] = receive_s + time.monotonic() - started
                metrics.record_stages(timings)
        slices = tuple(scoring.result for scoring in scorings)
        _record(slices)
        shown = {stage: round(timings.get(stage, 0.0) * 1000, 3) for stage in metrics.STAGES}
        return ensure_classified(
            Classification(request_id, self.model, slices, MappingProxyType(shown))
        )

    async def _score_all(
        self, uploads: Sequence[Upload], admission: Admission, deadline: float
    ) -> list[_Scoring]:
        """All slices at once; the first error that ends the request cancels the others."""
        try:
            async with asyncio.timeout_at(deadline):
                if len(uploads) == 1:  # most requests: a task of its own gains it nothing
                    return await self._score_upload(0, uploads[0], admission, deadline)
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(self._score_upload(index, upload, admission, deadline))
                        for index, upload in enumerate(uploads)
                    ]
        except TimeoutError as error:
            raise DeadlineExceeded from error
        except ExceptionGroup as failures:
            raise first_failure(failures) from None
        return [scoring for task in tasks for scoring in task.result()]

    async def _score_upload(
        self, index: int, upload: Upload, admission: Admission, deadline: float
    ) -> list[_Scoring]:
        """Take one object through decode and its frames through forwards."""
        started = time.monotonic()
        if len(upload.body) > self._settings.largest_object_bytes:
            admission.forgo()
            oversized = Decoded(Identity(), None, (as_violation(TooLarge()),))
            return [_Scoring(refused(index, upload, oversized), {})]
        decoded = await self._decoder.decode(upload.body, deadline - started)
        score = partial(self._score_frame, index, upload, admission, deadline, started)
        if not decoded.further:
            return [await score(decoded)]
        admission.grow(len(decoded.further))
        async with asyncio.TaskGroup() as group:
            frames = (decoded, *decoded.further)
            tasks = [group.create_task(score(frame)) for frame in frames]
        return [task.result() for task in tasks]

    async def _score_frame(
        self,
        index: int,
        upload: Upload,
        admission: Admission,
        deadline: float,
        started: float,
        decoded: Decoded,
    ) -> _Scoring:
        """Take one image through its forward; its own faults become its own result."""
        queued = time.monotonic()
        spans = {"decode": (started, queued)}
        if decoded.slice_hu is None or blocking(decoded.violations):
            admission.forgo()
            return _Scoring(refused(index, upload, decoded), spans)
        try:
            scored = await admission.submit(decoded.slice_hu, deadline)
        except EngineFailure as error:
            faults = (*decoded.violations, as_violation(error))
            failed = replace(decoded, slice_hu=None, violations=faults)
            return _Scoring(refused(index, upload, failed), spans)
        forward = queued + scored.queue_s
        spans |= {"queue": (queued, forward), "infer": (forward, forward + scored.infer_s)}
        return _Scoring(self._classified(index, upload, decoded, scored), spans)

    def _classified(
        self, index: int, upload: Upload, decoded: Decoded, scored: Scored
    ) -> SliceResult:
        probabilities = calibrated(scored.logits, self.manifest.temperatures, self.manifest.biases)
        given = dict(zip(LABELS, probabilities.tolist(), strict=True))
        findings = probabilities >= np.asarray(self.manifest.thresholds)
        return SliceResult(
            index=index,
            name=upload.name,
            identity=decoded.identity,
            status=Status.CLASSIFIED,
            probabilities=MappingProxyType(given),
            findings=tuple(label for label, found in zip(LABELS, findings, strict=True) if found),
            # Reported, never forced: the six outputs are independent (paper section 3).
            any_consistent=bool(probabilities[-1] >= probabilities[:-1].max()),
            window=decoded.slice_hu.window if decoded.slice_hu else None,
            warnings=decoded.violations,
            frame=decoded.frame,
        )


def _stage_seconds(scorings: Sequence[_Scoring]) -> dict[str, float]:
    """Seconds in which at least one slice was in the stage, for the stages that were entered."""
    spans: dict[str, list[Span]] = {}
    for scoring in scorings:
        for stage, span in scoring.spans.items():
            spans.setdefault(stage, []).append(span)
    return {stage: covered(found) for stage, found in spans.items()}


def covered(spans: Iterable[Span]) -> float:
    """Length of the union of intervals: overlapping seconds count once."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _record(slices: Sequence[SliceResult]) -> None:
    for item in slices:
        metrics.record_slice(item.status, (*item.errors, *item.warnings))
        if item.probabilities is not None:
            metrics.record_scores(item.probabilities, item.findings)
