"""Codestream: what the header of a compressed frame says, read before any native code runs.

frame -> Cursor over its marker segments -> inspect (jpeg, jpeg2000) -> Codestream

A decoder in C that believes a false size reads, writes or allocates out of bounds, or never ends.
So its frame is walked here first: no length is trusted, and what is not understood is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_BITS, MOST_BITS = 8, 16
# A slice of CT has about 10 segments; one tile-part for each of 256 tiles needs three markers.
_MOST_MARKERS = 2048
# Encoders bring the frame to an even length with 00 (PS3.5 A.4) or, older ones, with FF.
_PADDING = b"\x00\xff"


class CodestreamFault(Exception):
    """The compressed frame is damaged, or is not what its transfer syntax promises."""


@dataclass(frozen=True, slots=True)
class Codestream:
    """The header of one frame of one component without subsampling.

    Attributes:
        rows: lines, pixels.
        columns: samples a line, pixels.
        bits: precision of a sample, 8..16.
        signed: whether samples carry a sign; None where the format knows none.
        lossy: whether the format was used in a way that does not preserve the values.
    """

    rows: int
    columns: int
    bits: int
    signed: bool | None
    lossy: bool

    def __post_init__(self) -> None:
        """Refuse what no decoder of this service is asked for."""
        if not (self.rows and self.columns and LEAST_BITS <= self.bits <= MOST_BITS):
            raise CodestreamFault


@dataclass(slots=True)
class Cursor:
    """A place in a frame that moves over its markers; every step is bounded by the data."""

    data: bytes
    at: int = 0
    left: int = _MOST_MARKERS

    def marker(self) -> int:
        """The marker here, as two bytes; fill bytes in front of it are stepped over (T.81 B.1.1).

        Raises:
            CodestreamFault: there is none, or there were too many.
        """
        while True:
            self.left -= 1
            code = int.from_bytes(self.data[self.at : self.at + 2], "big")
            if self.left < 0 or self.at + 2 > len(self.data) or code <= 0xFF00:
                raise CodestreamFault
            if code < 0xFFFF:
                self.at += 2
                return code
            self.at += 1

    def expect(self, marker: int) -> None:
        """Step over this marker.

        Raises:
            CodestreamFault: another one is here.
        """
        if self.marker() != marker:
            raise CodestreamFault

    def segment(self) -> bytes:
        """The parameters behind a marker, without their length.

        Raises:
            CodestreamFault: they do not end within the data.
        """
        length = int.from_bytes(self.data[self.at : self.at + 2], "big")
        end = self.at + length
        if length < 2 or end > len(self.data):
            raise CodestreamFault
        parameters = self.data[self.at + 2 : end]
        self.at = end
        return parameters

    def finish(self) -> None:
        """Make sure that only padding follows.

        Raises:
            CodestreamFault: something else does.
        """
        if self.data[self.at :].strip(_PADDING):
            raise CodestreamFault

    def last_marker_at(self) -> int:
        """Offset of the last two bytes that are no padding."""
        return len(self.data.rstrip(_PADDING)) - 2
