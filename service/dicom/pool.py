"""Pool: decode processes that may be killed at any time, behind one coroutine.

decode: wait for a free child -> its slot -> child decodes frame after frame -> Decoded
death or deadline of a child: kill -> violation for that frame alone -> respawn in the background
                              -> the frames behind it by another child
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from service.dicom.child import Child, ChildDied
from service.dicom.job import Job, failed
from service.dicom.limits import Caps
from service.dicom.violations import DECODE_TIMEOUT, DECODER_FAILED, TOO_LARGE
from service.errors import DeadlineExceeded, NotReady
from service.types import Decoded

# Starting takes 0.3 s on an idle core; a machine that is swamped at start gets its time.
_START_TIMEOUT_S = 60.0
_RETRY_S = 0.5


class DecodePool:
    """A fixed number of decode processes; a `service.types.Decoder`.

    Args:
        workers: number of processes.
        timeout_s: longest decode of one object; a child that takes longer is killed.
        memory_bytes: address space of one process.
        caps: bounds of one object.
        on_restart: called each time a process is replaced (a metric counts it).
    """

    def __init__(
        self,
        workers: int,
        timeout_s: float,
        memory_bytes: int,
        caps: Caps,
        on_restart: Callable[[], None] | None = None,
    ) -> None:
        self._workers = workers
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._caps = caps
        self._on_restart = on_restart or (lambda: None)
        self._children: set[Child] = set()
        self._busy: set[Child] = set()
        self._free: asyncio.Queue[Child] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        self._unreaped: set[Child] = set()
        self._spawner: ThreadPoolExecutor | None = None

    @property
    def alive(self) -> int:
        """Processes that are ready or at work; fewer than `workers` while one is replaced."""
        return len(self._children)

    async def start(self) -> None:
        """Start every process and wait until all are ready.

        Raises:
            ChildDied: a process did not come up.
        """
        self._spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ich-spawn")
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._add_child())
        except BaseExceptionGroup as group_error:
            await self.stop()
            raise ChildDied from group_error

    async def stop(self) -> None:
        """Kill every process and wait for its end; whoever waits for one gets `NotReady`."""
        spawner, self._spawner = self._spawner, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._unreaped |= self._children
        self._children.clear()
        for child in self._unreaped:
            child.kill()
            self._free.put_nowait(child)  # wakes a waiter, which finds it dead
        await asyncio.gather(*self._jobs, return_exceptions=True)
        while self._unreaped:
            await asyncio.to_thread(self._unreaped.pop().process.wait)
        if spawner is not None:
            spawner.shutdown(wait=False)

    async def decode(self, body: bytes | memoryview, timeout_s: float) -> Decoded:
        """Decode one object in a free process.

        Args:
            body: the object as received.
            timeout_s: what is left of the request's deadline, waiting for a process included.

        Returns:
            The verdict, of a multi-frame object that on its first frame with the others as
            `further`. A process that dies or exceeds its own limit costs this frame only:
            `decoder_failed` or `decode_timeout`.

        Raises:
            DeadlineExceeded: `timeout_s` passed first.
            NotReady: the pool is not running.
        """
        if self._spawner is None:
            raise NotReady
        if len(body) > self._caps.longest_bytes:
            return failed(TOO_LARGE)
        job = Job(body, self._caps.max_frames)
        try:
            async with asyncio.timeout(timeout_s):
                while not job.complete:
                    task = asyncio.create_task(self._run(await self._take(), job))
                    self._jobs.add(task)
                    task.add_done_callback(self._jobs.discard)
                    # A caller that leaves does not stop the child: it finishes its frame, or is
                    # killed by its own deadline, before its slot is used again.
                    await asyncio.shield(task)
                return job.result()
        except TimeoutError as error:
            raise DeadlineExceeded from error
        finally:
            job.wanted = False

    async def _take(self) -> Child:
        """The next free child that has not died while it was idle."""
        while True:
            child = await self._free.get()
            if self._spawner is None:
                self._free.put_nowait(child)
                raise NotReady
            if not child.dead:
                self._busy.add(child)
                return child

    async def _run(self, child: Child, job: Job) -> None:
        """The frames of one object by one child, which is then freed or replaced.

        A child that had died before it looked at the object leaves the frame to another one.
        """
        try:
            await self._frames(child, job)
        except TimeoutError:
            job.fail(DECODE_TIMEOUT)
        except ChildDied as death:
            if not death.untouched:
                job.fail(DECODER_FAILED)
        else:
            self._busy.discard(child)
            self._free.put_nowait(child)
            return
        self._replace(child)

    async def _frames(self, child: Child, job: Job) -> None:
        """Frame after frame until the object is complete or nobody waits for it any more."""
        begun = False
        while job.wanted and not job.complete:
            async with asyncio.timeout(self._timeout_s):
                again = child.next_frame() if begun else child.decode(job.body, job.next_frame)
                job.take(await again)
            begun = True
        child.release()

    def _replace(self, child: Child) -> None:
        """Kill a child and start its successor in the background; once for each child."""
        self._busy.discard(child)
        child.kill()
        if child not in self._children:
            return
        self._children.discard(child)
        self._unreaped.add(child)
        self._on_restart()
        task = asyncio.get_running_loop().create_task(self._respawn(child))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_death(self, child: Child) -> None:
        # A busy child is replaced by its job, which has to learn of the death first.
        if child not in self._busy:
            self._replace(child)

    async def _respawn(self, child: Child) -> None:
        """Reap a killed child and start its successor, however often that takes."""
        await asyncio.to_thread(child.process.wait)
        self._unreaped.discard(child)
        while self._spawner is not None:
            try:
                return await self._add_child()
            except (ChildDied, OSError):
                await asyncio.sleep(_RETRY_S)

    async def _add_child(self) -> None:
        """Start one process and offer it once it is ready."""
        loop = asyncio.get_running_loop()
        # The decode deadline of the parent comes first; the alarm is for an orphan.
        alarm_s = 2.0 * self._timeout_s + 1.0
        spawn = loop.run_in_executor(
            self._spawner, Child.spawn, self._caps, self._memory_bytes, alarm_s
        )
        try:
            # A thread cannot be cancelled: the process it starts must not be lost.
            child = await asyncio.shield(spawn)
            await child.ready(self._on_death, _START_TIMEOUT_S)
        except BaseException:
            child = await spawn
            child.kill()
            await asyncio.to_thread(child.process.wait)
            raise
        self._children.add(child)
        self._free.put_nowait(child)
