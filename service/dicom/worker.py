"""Worker: the main loop of one decode process; started by `child`, never imported by it.

order -> decode_frames on the shared body -> pixels and verdict into the slot -> token

It outlives nobody: the kernel kills it with its parent, the closed socket ends it, and an alarm
ends a decode that its parent did not kill in time.
"""

from __future__ import annotations

import ctypes
import gc
import json
import resource
import signal
import socket
import sys

from service.dicom.decode import decode_frames
from service.dicom.limits import Caps
from service.dicom.slot import ORDER, TOKEN, Slot

_PR_SET_PDEATHSIG = 1


def confine(memory_bytes: int) -> None:
    """Bound memory, leave no core dumps, and die with the parent.

    A core dump would write patient data to disk.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent drains before it stops; only it decides when a decode ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def serve(channel: socket.socket, slot: Slot, caps: Caps, alarm_s: float) -> None:
    """Answer orders, one frame each, until the parent closes its end."""
    channel.send(TOKEN.pack(0, 0))  # ready
    frames = decode_frames(b"", caps)
    while True:
        order = channel.recv(ORDER.size)
        if len(order) != ORDER.size:
            return
        serial, length, frame = ORDER.unpack(order)
        signal.setitimer(signal.ITIMER_REAL, alarm_s)
        slot.mark_started(serial)
        if frame:
            frames = decode_frames(slot.body(length), caps, frame)
        decoded = next(frames)
        written = slot.put_decoded(decoded)
        if decoded.frame in (None, decoded.frames):
            frames.close()  # what it has inflated or decoded
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        channel.send(TOKEN.pack(serial, written))


def main(arguments: list[str]) -> None:
    """Start from the arguments: socket, memory descriptor and a JSON object of limits."""
    channel = socket.socket(fileno=int(arguments[0]))
    limits = json.loads(arguments[2])
    caps = Caps.of(limits["caps"])
    slot = Slot(int(arguments[1]), caps.longest_bytes)
    confine(limits["memory_bytes"])
    # What was imported lives for ever: keep the collector from walking it at every pass.
    gc.freeze()
    serve(channel, slot, caps, limits["alarm_s"])


if __name__ == "__main__":
    main(sys.argv[1:])
