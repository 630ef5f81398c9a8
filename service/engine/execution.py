"""Execution: one batch through the engine thread, with faults kept to the slices that cause them.

jobs ──> forward ─┬─ rows and values are right ──> every job answered
                  ├─ a row is not finite ────────> that slice fails
                  ├─ wrong number of rows ───────> all fail
                  └─ raised ─────────────────────> each job again, alone
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service import metrics
from service.errors import DeadlineExceeded, EngineFailure
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
        """Whether somebody still waits; a job past its deadline is failed here."""
        if self.deadline <= asyncio.get_running_loop().time():
            self.fail(DeadlineExceeded())
        return not self.future.done()

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless already answered or given up."""
        if not self.future.done():
            self.future.set_exception(error)


class Engine:
    """The one thread that runs forwards, and what becomes of their results."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="engine")

    async def execute(self, batch: Sequence[Job]) -> None:
        """Answer every job of the batch that is still waited for."""
        if await self._forward(batch):
            return
        for job in batch if len(batch) > 1 else ():
            if job.is_live():
                await self._forward([job])
        for job in batch:
            job.fail(EngineFailure())

    def close(self) -> None:
        """Let the thread end; a forward that hangs does not hold up the caller."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _forward(self, jobs: Sequence[Job]) -> bool:
        """Run one forward and answer its jobs; False when it raised and no job was answered."""
        loop, started = asyncio.get_running_loop(), time.monotonic()
        metrics.record_batch(len(jobs))
        items = [job.item for job in jobs]
        try:
            logits, infer_s = await loop.run_in_executor(self._executor, self._timed, items)
        except Exception as error:
            _log.error("forward_failed", exc_info=error, extra={"slices": len(jobs)})
            return False
        if logits.shape != (len(jobs), len(LABELS)):
            # Rows can no longer be told apart: an answer could be another patient's.
            _log.error("forward_shape", extra={"slices": len(jobs)})
            for job in jobs:
                job.fail(EngineFailure())
            return True
        for job, row in zip(jobs, logits, strict=True):
            if not np.isfinite(row).all():
                job.fail(EngineFailure())
            elif not job.future.done():
                job.future.set_result(Scored(row, started - job.queued_at, infer_s, len(jobs)))
        return True

    def _timed(self, items: Sequence[HuSlice]) -> tuple[npt.NDArray[np.float32], float]:
        started = time.perf_counter()
        logits = self._predictor.forward(items)
        return logits, time.perf_counter() - started
