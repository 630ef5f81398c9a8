"""Line: the slices between admission and answer, shared by the event loop and the engine threads.

expect ──> join ──> [waiting] ──> take (an engine thread, when it is free) ──> [bound] ──> leave
(event loop)                                                               (event loop)

A thread takes its batch itself, at the last moment: between two forwards there is no round trip
through the event loop. While one batch runs, another is only taken ahead when it is full, because
then nobody could join it any more.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from service.engine.execution import Job

Batch = tuple[Job, ...]


class Line:
    """Counts places, orders slices and forms batches; every method may be called by any thread.

    Args:
        max_batch: most slices in a batch.
        max_wait_s: how long the oldest slice waits for those that are still expected.
    """

    def __init__(self, max_batch: int, max_wait_s: float) -> None:
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._expected = 0  # admitted, but still on their way
        self._waiting: deque[Job] = deque()
        self._bound: list[Batch] = []  # taken, and not answered yet
        self._running = 0  # batches inside the engine
        self._closed = False
        self._moved = threading.Condition()

    @property
    def depth(self) -> int:
        """Slices that hold a place: on their way, waiting, or in a batch without its answers."""
        with self._moved:
            return self._depth()

    @property
    def closed(self) -> bool:
        """Whether nothing is taken any more."""
        return self._closed

    def expect(self, count: int, most: int) -> bool:
        """Take the places of further slices, all or none; False when `most` would be passed."""
        with self._moved:
            if self._depth() + count > most:
                return False
            self._expected += count
            return True

    def forgo(self, count: int) -> None:
        """Give back places of slices that will not come, so that none waits for them."""
        with self._moved:
            self._expected -= count
            self._wake()

    def join(self, job: Job) -> None:
        """Turn an expected slice into a waiting one."""
        with self._moved:
            self._expected -= 1
            self._waiting.append(job)
            self._wake()

    def leave(self, job: Job) -> None:
        """Take a slice out that nobody waits for any more, unless a batch holds it already."""
        with self._moved:
            if job in self._waiting:
                self._waiting.remove(job)
                self._wake()

    def take(self) -> Batch | None:
        """Wait for the next batch, in order of arrival; None once the line is closed.

        Slices whose caller left or whose deadline passed are left out, so they cost no forward.
        """
        with self._moved:
            while not self._closed:
                wait_s = self._wait_s()
                if wait_s is None or wait_s > 0:
                    self._moved.wait(wait_s)
                elif batch := self._next():
                    self._bound.append(batch)
                    self._running += 1
                    return batch
        return None

    def ran(self) -> None:
        """A batch has left the engine: one that is not full may follow."""
        with self._moved:
            self._running -= 1
            self._wake()

    def answered(self, batch: Batch) -> None:
        """Free the places of a batch."""
        with self._moved:
            if batch in self._bound:  # else `close` has freed them
                self._bound.remove(batch)

    def close(self) -> list[Job]:
        """End every `take`; gives the slices that are left without an answer."""
        with self._moved:
            self._closed = True
            left = [*self._waiting, *(job for batch in self._bound for job in batch)]
            self._waiting.clear()
            self._bound.clear()
            self._moved.notify_all()
            return left

    def _depth(self) -> int:
        return self._expected + len(self._waiting) + sum(map(len, self._bound))

    def _wake(self) -> None:
        """Wake one thread when there is a batch for it, or a wait to begin to measure."""
        wait_s = self._wait_s()
        if wait_s is not None and (wait_s <= 0 or len(self._waiting) == 1):
            self._moved.notify()

    def _wait_s(self) -> float | None:
        """How long a free thread should still hold back; None while there is nothing for it."""
        if len(self._waiting) >= self._max_batch:
            return 0.0
        if not self._waiting or self._running:
            return None
        if self._expected == 0:
            return 0.0
        return self._waiting[0].queued_at + self._max_wait_s - time.monotonic()

    def _next(self) -> Batch:
        batch: list[Job] = []
        while self._waiting and len(batch) < self._max_batch:
            job = self._waiting.popleft()
            if job.is_live():
                batch.append(job)
        return tuple(batch)
