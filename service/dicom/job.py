"""Job: one object on its way through the decode pool, and the verdicts on its frames so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from service.dicom.child import ChildDied
from service.types import Decoded, Identity, Violation


def failed(violation: Violation) -> Decoded:
    """The verdict on an object of which nothing else is known."""
    return Decoded(Identity(), None, (violation,))


@dataclass(slots=True, eq=False)
class Job:
    """One object.

    Attributes:
        body: the object as received.
        max_frames: the most frames that a child may claim.
        wanted: the caller still waits.
        found: the verdicts so far, in the order of the frames.
    """

    body: bytes | memoryview
    max_frames: int
    wanted: bool = True
    found: list[Decoded] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every frame has its verdict; how many there are, the first one tells."""
        return bool(self.found) and len(self.found) == self.found[0].frames

    @property
    def next_frame(self) -> int:
        """The number, from 1, of the frame without a verdict."""
        return len(self.found) + 1

    def take(self, decoded: Decoded) -> None:
        """Add what a child said.

        Raises:
            ChildDied: it is no verdict on this frame; the child cannot be believed.
        """
        single = decoded.frame is None and decoded.frames == 1 and not self.found
        expected = self.found[0].frames if self.found else decoded.frames
        framed = decoded.frame == self.next_frame and decoded.frames == expected
        if not single and not (framed and 1 <= decoded.frames <= self.max_frames):
            raise ChildDied
        self.found.append(decoded)

    def fail(self, violation: Violation) -> None:
        """Add the verdict on a frame that cost its child; the object, if it was the first."""
        if not self.found:
            self.found.append(failed(violation))
            return
        first = self.found[0]
        self.found.append(
            Decoded(first.identity, None, (violation,), self.next_frame, first.frames)
        )

    def result(self) -> Decoded:
        """The verdict on the first frame with those on the others as `further`."""
        first, *others = self.found
        return replace(first, further=tuple(others))
