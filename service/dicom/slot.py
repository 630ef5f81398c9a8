"""Slot: the shared memory of one decode process, and the token that passes it to and fro.

parent: body -> [input area] -> Order(serial, length, frame) -> child
child:  [pixel area] HU + [verdict area] JSON -> Token(serial, length of the verdict) -> parent

No object is ever pickled: the child is the least trusted process of the service, so what it
writes is parsed as data and checked.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from service.types import (
    SLICE_SIZE,
    Action,
    Decoded,
    DefaultWindow,
    HuSlice,
    Identity,
    Kind,
    Violation,
)

TOKEN = struct.Struct("<QQ")  # serial number of the job, length in bytes
# The same, and the frame to begin with; 0 for the next frame of the object that is there already.
ORDER = struct.Struct("<QQQ")
_PIXEL_BYTES = SLICE_SIZE * SLICE_SIZE * 2
_VERDICT_BYTES = 64 * 1024
_KEPT_BYTES = 4 * 1024 * 1024  # whole pages
_STARTED_BYTES = 8
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class BadVerdict(Exception):
    """What the child wrote is no verdict."""


class Slot:
    """Input, pixel and verdict areas in one mapping that parent and child share."""

    def __init__(self, descriptor: int, max_bytes: int) -> None:
        """Map the memory behind `descriptor` (from `create`); the descriptor stays the caller's."""
        self._pixels_at = -(-max_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        self._verdict_at = self._pixels_at + _PIXEL_BYTES
        self._started_at = self._verdict_at + _VERDICT_BYTES
        self._map = mmap.mmap(descriptor, self._started_at + _STARTED_BYTES)
        self._max_bytes = max_bytes

    @staticmethod
    def create(max_bytes: int) -> int:
        """A descriptor of new anonymous memory for one slot.

        Its size is sealed: a child that shrank it would make the parent fault on access.
        """
        pages = -(-max_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        descriptor = os.memfd_create("ich-slot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, pages + _PIXEL_BYTES + _VERDICT_BYTES + _STARTED_BYTES)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return descriptor

    def put_body(self, part: bytes | memoryview, start: int = 0) -> int:
        """Copy a part of the object to its place in the input area; returns where it ends, bytes.

        Raises:
            ValueError: it ends behind the input area, where the pixels lie.
        """
        end = start + len(part)
        if end > self._max_bytes:
            raise ValueError("the body is larger than the slot")
        self._map[start:end] = part
        return end

    def forget_body(self, length: int) -> None:
        """Give the memory of a long body back: one large object must not stay for ever."""
        if length > _KEPT_BYTES and self._pixels_at > _KEPT_BYTES:
            self._map.madvise(mmap.MADV_REMOVE, _KEPT_BYTES, self._pixels_at - _KEPT_BYTES)

    def body(self, length: int) -> memoryview:
        """The object in the input area, without a copy."""
        return memoryview(self._map)[: min(length, self._max_bytes)]

    def mark_started(self, serial: int) -> None:
        """Note that the child has begun with job `serial`: from here its death is the body's."""
        self._map[self._started_at :] = serial.to_bytes(_STARTED_BYTES, "little")

    def started(self, serial: int) -> bool:
        """Whether the child has begun with job `serial`."""
        return int.from_bytes(self._map[self._started_at :], "little") == serial

    def put_decoded(self, decoded: Decoded) -> int:
        """Write pixels and verdict; returns the length of the verdict in bytes."""
        if decoded.slice_hu is not None:
            self._pixels()[:] = decoded.slice_hu.voxels_hu
        verdict = json.dumps(_to_json(decoded)).encode()
        if len(verdict) > _VERDICT_BYTES:
            raise BadVerdict
        self._map[self._verdict_at : self._verdict_at + len(verdict)] = verdict
        return len(verdict)

    def take_decoded(self, length: int) -> Decoded:
        """Read what `put_decoded` wrote; the pixels are a copy of the shared ones.

        Raises:
            BadVerdict: the verdict cannot be read.
        """
        if length > _VERDICT_BYTES:
            raise BadVerdict
        verdict = self._map[self._verdict_at : self._verdict_at + length]
        try:
            return self._from_json(json.loads(verdict))
        except (ValueError, KeyError, TypeError) as error:
            raise BadVerdict from error

    def close(self) -> None:
        """Unmap the memory."""
        self._map.close()

    def _pixels(self) -> npt.NDArray[np.int16]:
        """The pixel area as int16 (512, 512); drop it at once, `close` fails while it lives."""
        flat = np.frombuffer(self._map, np.int16, SLICE_SIZE * SLICE_SIZE, self._pixels_at)
        return flat.reshape(SLICE_SIZE, SLICE_SIZE)

    def _from_json(self, verdict: dict[str, Any]) -> Decoded:
        slice_hu = None
        if verdict["window"] is not None:
            center, width, substituted = verdict["window"]
            window = DefaultWindow(float(center), float(width), bool(substituted))
            slice_hu = HuSlice(self._pixels().copy(), window)
        violations = tuple(
            Violation(code, Action(action), message, Kind(kind), keyword, tag)
            for code, action, message, kind, keyword, tag in verdict["violations"]
        )
        frame, frames = verdict["frame"]
        if not (frame is None or isinstance(frame, int)) or not isinstance(frames, int):
            raise BadVerdict
        return Decoded(Identity(*verdict["identity"]), slice_hu, violations, frame, frames)


def _to_json(decoded: Decoded) -> dict[str, Any]:
    """Everything of `Decoded` but its pixels."""
    identity, window = decoded.identity, decoded.slice_hu and decoded.slice_hu.window
    return {
        "identity": [
            identity.sop_instance_uid,
            identity.series_instance_uid,
            identity.study_instance_uid,
        ],
        "frame": [decoded.frame, decoded.frames],
        "window": window and [window.center, window.width, window.substituted],
        "violations": [
            [item.code, item.action, item.message, item.kind, item.keyword, item.tag]
            for item in decoded.violations
        ],
    }
