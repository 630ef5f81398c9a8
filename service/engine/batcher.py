"""Batcher: a bounded queue of slices in front of the one engine, shared by both transports.

admit(n) ── n places or QueueFull ──> Admission.submit(slice) ──> waiting ──> batch ──> execution
                                                                  (event loop)      (engine thread)

A batch starts when the engine is free and one of these holds: it is full; every slice admitted
so far is already waiting, so that holding back gains nothing; the oldest has waited `max_wait_s`.
It is formed at that moment and not before, so callers that left and deadlines that passed cost no
forward. One forward runs at a time: a second in flight would be a second `_run` task and a wider
engine; nothing else here counts on there being one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from service import metrics
from service.engine.execution import Engine, Job, Scored
from service.errors import DeadlineExceeded, Draining, NotReady, QueueFull
from service.types import HuSlice, Predictor


class Admission:
    """The places of one request: each is used by `submit` or handed back by `forgo`, once."""

    def __init__(self, batcher: Batcher, count: int) -> None:
        self.pending = count
        self._batcher = batcher

    async def submit(self, item: HuSlice, deadline: float) -> Scored:
        """Score one slice by `deadline` (loop time, s).

        Raises:
            DeadlineExceeded: not scored in time; if it was still waiting it never runs.
            EngineFailure: the forward failed, or gave values that are not finite, on this slice.
            Draining: the batcher stopped before the slice was scored.
        """
        self._use_place()
        return await self._batcher._score(item, deadline)

    def grow(self, count: int) -> None:
        """Reserve places for the further frames of an object: all of them or none.

        Raises:
            QueueFull: fewer than `count` places are free.
        """
        if self._batcher.depth + count > self._batcher._max_queue:
            raise QueueFull
        self.pending += count
        self._batcher._expected += count
        self._batcher._changed()

    def forgo(self) -> None:
        """Hand back the place of a slice that will not be scored, so that none waits for it."""
        self._use_place()
        self._batcher._changed()

    def _use_place(self) -> None:
        if self.pending < 1:
            raise RuntimeError("more slices than were admitted")
        self.pending -= 1
        self._batcher._expected -= 1


class Batcher:
    """Owns the queue and the engine; every method belongs to one event loop."""

    def __init__(
        self, predictor: Predictor, *, max_batch: int, max_wait_s: float, max_queue: int
    ) -> None:
        self._engine = Engine(predictor)
        self._max_batch = min(max_batch, predictor.max_batch)
        self._max_wait_s = max_wait_s
        self._max_queue = max_queue
        self._expected = 0  # admitted, but still on their way to the queue
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._draining = False
        self._closed = False
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether new requests are admitted (while there is room)."""
        return self._task is not None and not self._task.done() and not self._draining

    @property
    def depth(self) -> int:
        """Slices that hold a place: on their way, waiting, or in the running batch."""
        return self._expected + len(self._waiting) + len(self._running)

    def start(self) -> None:
        """Begin to serve; called once, inside the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="batcher")

    async def stop(self, grace_s: float) -> None:
        """Refuse new requests, finish the admitted within `grace_s`, fail the rest (Draining)."""
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._empty.wait()
        self._closed = True
        for job in (*self._waiting, *self._running):
            job.fail(Draining())
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._engine.close()
        self._changed()

    @contextmanager
    def admit(self, count: int) -> Iterator[Admission]:
        """Reserve the places of a whole request: all of them or none.

        A place is free again when its slice is answered or given up, at the latest at the end of
        the block; only a slice inside the running batch keeps its place until that ends.

        Raises:
            QueueFull: fewer than `count` places are free.
            Draining: the batcher is stopping.
            NotReady: it has not been started.
        """
        if self._draining:
            raise Draining
        if not self.running:
            raise NotReady
        if self.depth + count > self._max_queue:
            raise QueueFull
        admission = Admission(self, count)
        self._expected += count
        self._changed()
        try:
            yield admission
        finally:
            self._expected -= admission.pending
            admission.pending = 0
            self._changed()

    async def _score(self, item: HuSlice, deadline: float) -> Scored:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise Draining
        job = Job(item, deadline, time.monotonic(), loop.create_future())
        self._waiting.append(job)
        self._changed()
        try:
            async with asyncio.timeout_at(deadline):
                return await job.future
        except TimeoutError as error:
            raise DeadlineExceeded from error
        finally:
            if job.future.cancelled():
                with suppress(ValueError):  # already in the running batch
                    self._waiting.remove(job)
                self._changed()

    def _changed(self) -> None:
        """Tell the loop, the drain and the gauge that the places in use moved."""
        depth = self.depth
        metrics.set_queue_depth(depth)
        self._wake.set()
        if depth:
            self._empty.clear()
        else:
            self._empty.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            wait_s = self._wait_s()
            if wait_s is None or wait_s > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                continue
            try:
                self._running = self._take()
                if self._running:
                    await self._engine.execute(self._running)
            finally:
                self._running = []
                self._changed()

    def _wait_s(self) -> float | None:
        """How long the free engine should still hold back; None while nothing is waiting."""
        if not self._waiting:
            return None
        if len(self._waiting) >= self._max_batch or self._expected == 0:
            return 0.0
        oldest = self._waiting[0].queued_at
        return oldest + self._max_wait_s - time.monotonic()

    def _take(self) -> list[Job]:
        """The next batch, in order of arrival, without those that nobody can use any more."""
        batch: list[Job] = []
        while self._waiting and len(batch) < self._max_batch:
            job = self._waiting.popleft()
            if job.is_live():
                batch.append(job)
        return batch
