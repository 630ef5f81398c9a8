"""Execution: one batch through the engine, with faults kept to the slices that cause them.

jobs ──> forward ─┬─ rows and values are right ──> every job answered
                  ├─ a row is not finite ────────> that slice fails
                  ├─ wrong number of rows ───────> all fail
                  └─ raised ─────────────────────> each job again, alone

Runs in an engine thread and touches no future: the event loop settles them, once per batch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from service.errors import EngineFailure
from service.types import LABELS, HuSlice, Predictor

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    """Logits float32 (6,) of one slice, its wait and its forward in s, and its batch's size."""

    logits: npt.NDArray[np.float32]
    queue_s: float
    infer_s: float
    batch_size: int


@dataclass(slots=True, eq=False)
class Job:
    """One slice between submit and result; times are those of the event loop, s."""

    item: HuSlice
    deadline: float
    queued_at: float
    future: asyncio.Future[Scored]

    def is_live(self) -> bool:
        """Whether somebody still waits; may be asked by any thread."""
        return not self.future.done() and time.monotonic() < self.deadline

    def settle(self, outcome: Scored | Exception) -> None:
        """Answer, unless already answered or given up; event loop only."""
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


@dataclass(slots=True)
class Executed:
    """What became of a batch: outcomes by job, and the size of every forward that it took."""

    outcomes: dict[Job, Scored | Exception] = field(default_factory=dict)
    forwards: list[int] = field(default_factory=list)


def execute(predictor: Predictor, batch: Sequence[Job]) -> Executed:
    """Run a batch; a job without an outcome is one that nobody waits for any more."""
    done = Executed()
    if not _forward(predictor, batch, done):
        for job in batch if len(batch) > 1 else ():
            if job.is_live():
                _forward(predictor, [job], done)
        for job in batch:
            done.outcomes.setdefault(job, EngineFailure())
    return done


def _forward(predictor: Predictor, jobs: Sequence[Job], done: Executed) -> bool:
    """Run one forward and note its outcomes; False when it raised and there are none."""
    done.forwards.append(len(jobs))
    started = time.monotonic()
    try:
        logits = predictor.forward([job.item for job in jobs])
        infer_s = time.monotonic() - started
        finite = np.atleast_1d(np.isfinite(logits).all(axis=-1))
    except Exception as error:
        _log.error("forward_failed", exc_info=error, extra={"slices": len(jobs)})
        return False
    if logits.shape != (len(jobs), len(LABELS)):
        # Rows can no longer be told apart: an answer could be another patient's.
        _log.error("forward_shape", extra={"slices": len(jobs)})
        done.outcomes.update((job, EngineFailure()) for job in jobs)
        return True
    for job, row, good in zip(jobs, logits, finite, strict=True):
        scored = Scored(row, started - job.queued_at, infer_s, len(jobs))
        done.outcomes[job] = scored if good else EngineFailure()
    return True
