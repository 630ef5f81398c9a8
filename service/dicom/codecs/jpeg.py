"""JPEG: the header of a frame of the JPEG and JPEG-LS families (ITU-T T.81 annex B, T.87 annex C).

SOI -> tables -> SOF (size, bits, components) -> tables -> SOS -> samples -> EOI -> padding

One frame of one component in one scan. Only the tables of this scan may stand in front of it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from service.dicom.codecs.codestream import Codestream, CodestreamFault, Cursor

_SOI, _SOS, _LSE = 0xFFD8, 0xFFDA, 0xFFF8
_DHT, _DQT, _DRI, _COMMENT = 0xFFC4, 0xFFDB, 0xFFDD, 0xFFFE
_OTHERS = frozenset({_DRI, _COMMENT, *range(0xFFE0, 0xFFF0)})
_PRESETS = b"\x01"  # of LSE: coding parameters; the others change values or size (T.87 C.2.4)
_FRAME = struct.Struct(">BHHBBBB")
_SCAN = struct.Struct(">BBBBBB")
_NO_SUBSAMPLING = 0x11
_END_OF_IMAGE = 0xD9
# The first marker among the samples that is no restart: a zero byte is stuffed behind FF in
# T.81 (B.1.1.5), a zero bit in T.87 (A.1).
_T81_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_T87_MARKER = re.compile(rb"\xff([\x80-\xcf\xd8-\xfe])")

Scan = tuple[int, int, int]  # Ss or NEAR, Se or ILV, Ah and Al


def _dct_is_lossy(_: Scan) -> bool:
    return True


def _lossless_is_lossy(scan: Scan) -> bool:
    """Prediction keeps every bit, except those that a point transform cuts off (T.81 H.1.2.1)."""
    predictor, _, approximation = scan
    if not 1 <= predictor <= 7 or approximation >> 4:
        raise CodestreamFault
    return approximation != 0


def _ls_is_lossy(scan: Scan) -> bool:
    """NEAR is the largest error of a sample; 0 is lossless (T.87 C.2.3)."""
    near, interleave, transform = scan
    if interleave or transform:
        raise CodestreamFault
    return near != 0


@dataclass(frozen=True, slots=True)
class Process:
    """One coding process.

    Attributes:
        frames: start-of-frame markers that announce it.
        tables: segments that may stand in front of its samples.
        end: finds the marker that ends the samples.
        is_lossy: reads the parameters of the scan.
        least_bits: fewest bits of a coded pixel, where that is known.
    """

    frames: frozenset[int]
    tables: frozenset[int]
    end: re.Pattern[bytes]
    is_lossy: Callable[[Scan], bool]
    least_bits: int = 0


DCT = Process(frozenset({0xFFC0, 0xFFC1}), _OTHERS | {_DHT, _DQT}, _T81_MARKER, _dct_is_lossy)
LOSSLESS = Process(
    frozenset({0xFFC3}), _OTHERS | {_DHT, _DQT}, _T81_MARKER, _lossless_is_lossy, least_bits=1
)
LS = Process(frozenset({0xFFF7}), _OTHERS | {_LSE}, _T87_MARKER, _ls_is_lossy)


def inspect(data: bytes, process: Process) -> Codestream:
    """Read the header of one frame and find its end.

    Args:
        data: the frame as it was encapsulated, padding included.
        process: what the transfer syntax promises.

    Raises:
        CodestreamFault: it is damaged, cut short, or of another process.
    """
    cursor = Cursor(data)
    cursor.expect(_SOI)
    bits, rows, columns, component = _frame(_seek(cursor, process, process.frames))
    scan = _scan(_seek(cursor, process, frozenset({_SOS})), component)
    # Cut in the middle, a frame may still end in a marker that somebody appended.
    if _step_over_samples(cursor, process) * 8 < rows * columns * process.least_bits:
        raise CodestreamFault
    return Codestream(rows, columns, bits, None, process.is_lossy(scan))


def _seek(cursor: Cursor, process: Process, wanted: frozenset[int]) -> bytes:
    """Step over tables to one of the wanted segments; returns its parameters."""
    while True:
        marker, parameters = cursor.marker(), cursor.segment()
        if marker in wanted:
            return parameters
        if marker not in process.tables or (marker == _LSE and parameters[:1] != _PRESETS):
            raise CodestreamFault


def _frame(parameters: bytes) -> tuple[int, int, int, int]:
    """(bits, rows, columns, identifier of the one component) of a frame header (T.81 B.2.2)."""
    if len(parameters) != _FRAME.size:
        raise CodestreamFault
    bits, rows, columns, components, identifier, sampling, _ = _FRAME.unpack(parameters)
    if components != 1 or sampling != _NO_SUBSAMPLING:
        raise CodestreamFault
    return bits, rows, columns, identifier


def _scan(parameters: bytes, component: int) -> Scan:
    """The coding parameters of the scan header (T.81 B.2.3, T.87 C.2.3)."""
    if len(parameters) != _SCAN.size:
        raise CodestreamFault
    components, identifier, _, first, second, third = _SCAN.unpack(parameters)
    if components != 1 or identifier != component:
        raise CodestreamFault
    return first, second, third


def _step_over_samples(cursor: Cursor, process: Process) -> int:
    """Move behind the end of the image; a second scan or a late table is refused.

    Returns the length of the coded samples, bytes.
    """
    start = cursor.at
    found = process.end.search(cursor.data, cursor.at)
    if found is None or found[1][0] != _END_OF_IMAGE:
        raise CodestreamFault
    cursor.at = found.end()
    cursor.finish()
    return found.start() - start
