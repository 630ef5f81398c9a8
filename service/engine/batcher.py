"""Batcher: a bounded queue of slices in front of the one engine, shared by both transports.

admit(n) ── n places or QueueFull ──> Admission.submit(slice) ──> line ──> execution ──> settled
                                      (event loop)                 (engine threads)   (event loop)

A batch starts when the engine is free and one of these holds: it is full; every slice admitted
so far is already waiting, so that holding back gains nothing; the oldest has waited `max_wait_s`.
It is formed at that moment and not before, so callers that left and deadlines that passed cost no
forward. Its results come back to the event loop in one call. An engine with a device of its own
may have two batches in flight: the second, always a full one, is assembled while the first runs.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from service import metrics
from service.engine.execution import Executed, Job, Scored, execute
from service.engine.line import Batch, Line
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
        self._batcher._reserve(count)
        self.pending += count

    def forgo(self) -> None:
        """Hand back the place of a slice that will not be scored, so that none waits for it."""
        self._use_place()
        self._batcher._give_back(1)

    def _use_place(self) -> None:
        if self.pending < 1:
            raise RuntimeError("more slices than were admitted")
        self.pending -= 1


class Batcher:
    """Owns the line and the engine threads; every method belongs to one event loop."""

    def __init__(
        self, predictor: Predictor, *, max_batch: int, max_wait_s: float, max_queue: int
    ) -> None:
        self._predictor = predictor
        self._line = Line(min(max_batch, predictor.max_batch), max_wait_s)
        self._max_queue = max_queue
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._threads: list[threading.Thread] = []

    @property
    def running(self) -> bool:
        """Whether new requests are admitted (while there is room)."""
        alive = [thread.is_alive() for thread in self._threads]
        return bool(alive) and all(alive) and not self._draining

    @property
    def depth(self) -> int:
        """Slices that hold a place: on their way, waiting, or in a batch without its answers."""
        return self._line.depth

    def start(self) -> None:
        """Begin to serve; called once, inside the event loop."""
        loop = asyncio.get_running_loop()
        for number in range(self._predictor.in_flight):
            # A daemon: a forward that hangs must not keep the process from its end.
            name = f"engine-{number}"
            thread = threading.Thread(target=self._serve, args=(loop,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    async def stop(self, grace_s: float) -> None:
        """Refuse new requests, finish the admitted within `grace_s`, fail the rest (Draining)."""
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._empty.wait()
        for job in self._line.close():
            job.settle(Draining())
        self._changed()

    @contextmanager
    def admit(self, count: int) -> Iterator[Admission]:
        """Reserve the places of a whole request: all of them or none.

        A place is free again when its slice is answered or given up, at the latest at the end of
        the block; only a slice inside a running batch keeps its place until that ends.

        Raises:
            QueueFull: fewer than `count` places are free.
            Draining: the batcher is stopping.
            NotReady: it has not been started.
        """
        if self._draining:
            raise Draining
        if not self.running:
            raise NotReady
        self._reserve(count)
        admission = Admission(self, count)
        try:
            yield admission
        finally:
            if admission.pending:
                self._give_back(admission.pending)
                admission.pending = 0

    def _reserve(self, count: int) -> None:
        if not self._line.expect(count, self._max_queue):
            raise QueueFull
        self._changed()

    def _give_back(self, count: int) -> None:
        self._line.forgo(count)
        self._changed()

    async def _score(self, item: HuSlice, deadline: float) -> Scored:
        if self._line.closed:
            self._give_back(1)
            raise Draining
        loop = asyncio.get_running_loop()
        job = Job(item, deadline, time.monotonic(), loop.create_future())
        timer = loop.call_at(deadline, self._expire, job)
        self._line.join(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._give_up(job)
            raise
        finally:
            timer.cancel()

    def _expire(self, job: Job) -> None:
        job.settle(DeadlineExceeded())
        self._give_up(job)

    def _give_up(self, job: Job) -> None:
        self._line.leave(job)
        self._changed()

    def _changed(self) -> None:
        """Tell the drain and the gauge that the places in use moved."""
        depth = self.depth
        metrics.set_queue_depth(depth)
        if depth:
            self._empty.clear()
        else:
            self._empty.set()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """An engine thread: the next batch, its forward, its results to the loop, and again."""
        while batch := self._line.take():
            done = execute(self._predictor, batch)
            self._line.ran()
            with suppress(RuntimeError):  # the loop has ended before a forward that hung
                loop.call_soon_threadsafe(self._settle, batch, done)

    def _settle(self, batch: Batch, done: Executed) -> None:
        for job, outcome in done.outcomes.items():
            job.settle(outcome)
        for size in done.forwards:
            metrics.record_batch(size)
        self._line.answered(batch)
        self._changed()
