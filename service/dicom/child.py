"""Child: one decode process as its parent sees it: started, asked, killed.

A fresh interpreter (`python -m service.dicom.worker`) is started instead of a fork, because the
parent may run threads of torch and gRPC that a fork does not survive.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from service.dicom.limits import Caps
from service.dicom.slot import ORDER, TOKEN, Slot
from service.types import Decoded

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_STEP_BYTES = 1024 * 1024  # copied in one go, within a millisecond or two
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "TMPDIR")


class ChildDied(Exception):
    """The process ended or answered with nonsense; it must be killed and replaced.

    `untouched`: it ended before it looked at the object, which is therefore not to blame.
    """

    def __init__(self, *, untouched: bool = False) -> None:
        super().__init__()
        self.untouched = untouched


def _environment() -> dict[str, str]:
    """The least that an interpreter needs: no secret of the parent reaches hostile bytes."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = [str(_PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return inherited | threads | {"PYTHONPATH": os.pathsep.join(path)}


class Child:
    """A decode process with its shared memory. `spawn` blocks; the rest belongs to the loop."""

    def __init__(
        self, process: subprocess.Popen[bytes], channel: socket.socket, slot: Slot
    ) -> None:
        self.process = process
        self.dead = False
        self._channel = channel
        self._slot = slot
        self._serial = 0
        self._body_bytes = 0
        self._answer: asyncio.Future[int] | None = None
        self._on_death: Callable[[Child], None] | None = None

    @classmethod
    def spawn(cls, caps: Caps, memory_bytes: int, alarm_s: float) -> Child:
        """Start the process; it is usable once `ready` returns.

        Call it from a thread that lives as long as the pool: the kernel takes the end of the
        spawning thread for the end of the parent (prctl(2), PR_SET_PDEATHSIG).
        """
        limits = {"caps": asdict(caps), "memory_bytes": memory_bytes, "alarm_s": alarm_s}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptor = Slot.create(caps.longest_bytes)
        try:
            slot = Slot(descriptor, caps.longest_bytes)
            ours.setblocking(False)
            arguments = [str(theirs.fileno()), str(descriptor), json.dumps(limits)]
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-P", "-m", "service.dicom.worker", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), descriptor),
                env=_environment(),
                cwd="/",
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(descriptor)
        return cls(process, ours, slot)

    async def ready(self, on_death: Callable[[Child], None], timeout_s: float) -> None:
        """Wait until the process has imported its code; `on_death` is called once, from the loop.

        Raises:
            ChildDied: it ended or did not report in time.
        """
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        loop.add_reader(self._channel.fileno(), self._on_readable)
        try:
            async with asyncio.timeout(timeout_s):
                await self._answer
        except TimeoutError as error:
            raise ChildDied from error
        finally:
            self._answer = None
        self._on_death = on_death

    async def decode(self, body: bytes | memoryview, frame: int) -> Decoded:
        """Have one object decoded from that frame on; one object at a time.

        Raises:
            ChildDied: the process ended, or its verdict cannot be read.
        """
        self._body_bytes = len(body)
        view = memoryview(body)
        for start in range(0, len(body), _STEP_BYTES):
            if start:
                await asyncio.sleep(0)  # a long object must not hold the event loop
            if self.dead:
                raise ChildDied(untouched=True)
            self._slot.put_body(view[start : start + _STEP_BYTES], start)
        return await self._ask(len(body), frame)

    async def next_frame(self) -> Decoded:
        """Have the next frame of the same object decoded.

        Raises:
            ChildDied: as `decode`.
        """
        return await self._ask(0, 0)

    def release(self) -> None:
        """Give back the memory of a long object, once none of its frames is wanted any more."""
        self._slot.forget_body(self._body_bytes)

    async def _ask(self, length: int, frame: int) -> Decoded:
        self._serial += 1
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._channel.send(ORDER.pack(self._serial, length, frame))
            return self._slot.take_decoded(await self._answer)
        except Exception as error:  # end of the process, a bad verdict: it is of no more use
            raise ChildDied(untouched=not self._began) from error
        finally:
            self._answer = None

    @property
    def _began(self) -> bool:
        # `kill` unmaps the slot; it is called on purpose, never for what the object did.
        return not self.dead and self._slot.started(self._serial)

    def kill(self) -> None:
        """Kill the process and give back what it held, without waiting for its end."""
        if not self.dead:
            self.dead = True
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(ChildDied())
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._channel.close()
            self._slot.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)

    def _on_readable(self) -> None:
        try:
            token = self._channel.recv(TOKEN.size)
        except BlockingIOError:
            return
        except OSError:
            token = b""
        serial, length = TOKEN.unpack(token) if len(token) == TOKEN.size else (None, 0)
        answer = self._answer
        if answer is not None and not answer.done():
            if serial == self._serial:
                answer.set_result(length)
            else:
                answer.set_exception(ChildDied())
        if serial != self._serial:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            if self._on_death is not None:
                self._on_death(self)
