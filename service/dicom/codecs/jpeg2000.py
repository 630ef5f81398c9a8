"""JPEG 2000: the header of a frame of JPEG 2000 or HTJ2K (ITU-T T.800 annex A, T.814 annex A).

SOC -> SIZ -> [CAP] COD QCD ... -> tile-parts (SOT -> [PLT] -> SOD -> packets) -> EOC -> padding

What no CT encoder writes for one component is refused: coding styles of a component or tile of
its own, regions of interest, changes of progression and packed packet headers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from service.dicom.codecs.codestream import Codestream, CodestreamFault, Cursor

_SOC, _SIZ, _COD, _QCD = 0xFF4F, 0xFF51, 0xFF52, 0xFF5C
_SOT, _SOD, _EOC, _CAP = 0xFF90, 0xFF93, 0xFFD9, 0xFF50
_PLT, _COMMENT = 0xFF58, 0xFF64
# CAP, profiles PRF and CPF, tile-part and packet lengths TLM and PLM, registration CRG.
_MAIN = frozenset({_CAP, 0xFF56, 0xFF59, 0xFF55, 0xFF57, 0xFF63, _COMMENT})
_TILE = frozenset({_PLT, _COMMENT})

_SIZE = struct.Struct(">HLLLLLLLLHBBB")
_STYLE = struct.Struct(">BBHBBBBBB")
_LEVELS_AT = 5  # in the coding style
_TILE_PART = struct.Struct(">HLBB")
_HT_CAPABILITY = 0x00020000  # Pcap bit of part 15 (T.814 A.3)
_HT_BLOCKS, _HT_MIXED = 0x40, 0x80  # code-block style (T.814 A.4)

# Memory and time of a decoder grow with each of these, and nothing in the data pays for it.
_MOST_TILES = 256
_MOST_LEVELS = 12
_MOST_LAYERS = 64
_LEAST_PRECINCT = 4  # log2 of pixels
_MOST_PLANES = 28  # 16 bits finely quantised over 5 levels take 23; OpenJPH dies of 31
_MOST_BLOCK = 8  # xcb + ycb, each less 2: at most 4096 samples (T.800 table A.18)


@dataclass(frozen=True, slots=True)
class _Size:
    rows: int
    columns: int
    bits: int
    signed: bool
    tiles: int


def inspect(data: bytes, *, high_throughput: bool) -> Codestream:
    """Read the main header of one frame and step over its tile-parts.

    Args:
        data: the frame as it was encapsulated, padding included; a bare codestream (PS3.5 A.4.4).
        high_throughput: whether the transfer syntax promises HTJ2K.

    Raises:
        CodestreamFault: it is damaged, cut short, of the other kind, or over a bound.
    """
    cursor = Cursor(data)
    cursor.expect(_SOC)
    cursor.expect(_SIZ)
    size = _size(cursor.segment())
    found: dict[int, bytes] = {}
    while (marker := cursor.marker()) != _SOT:
        if marker not in _MAIN and (marker not in (_COD, _QCD) or marker in found):
            raise CodestreamFault
        found[marker] = cursor.segment()
    cursor.at -= 2
    if _is_high_throughput(found.get(_CAP, b"")) != high_throughput:
        raise CodestreamFault
    style = found.get(_COD, b"")
    reversible = _is_reversible(style, high_throughput=high_throughput)
    _check_quantisation(found.get(_QCD, b""), style[_LEVELS_AT], reversible=reversible)
    _step_over_tiles(cursor, size.tiles)
    return Codestream(size.rows, size.columns, size.bits, size.signed, lossy=not reversible)


def _size(parameters: bytes) -> _Size:
    """The image and tile size (T.800 A.5.1): one component, no offsets, no subsampling."""
    if len(parameters) != _SIZE.size:
        raise CodestreamFault
    _, width, height, left, top, tile_width, tile_height, tile_left, tile_top, *rest = _SIZE.unpack(
        parameters
    )
    components, depth, step_x, step_y = rest
    offsets = (left, top, tile_left, tile_top)
    if any(offsets) or (components, step_x, step_y) != (1, 1, 1):
        raise CodestreamFault
    if not (width and height and tile_width and tile_height):
        raise CodestreamFault
    tiles = -(-width // tile_width) * -(-height // tile_height)
    if tiles > _MOST_TILES:
        raise CodestreamFault
    return _Size(height, width, (depth & 0x7F) + 1, bool(depth & 0x80), tiles)


def _is_high_throughput(capabilities: bytes) -> bool:
    """Whether the extended capabilities name part 15 (T.814 A.3)."""
    return bool(int.from_bytes(capabilities[:4], "big") & _HT_CAPABILITY)


def _is_reversible(style: bytes, *, high_throughput: bool) -> bool:
    """Whether the coding style (T.800 A.6.1) keeps every bit; its figures are bounded here."""
    if len(style) < _STYLE.size:
        raise CodestreamFault
    flags, order, layers, colour, levels, width, height, blocks, transform = _STYLE.unpack_from(
        style
    )
    precincts = style[_STYLE.size :]
    if len(precincts) != (levels + 1 if flags & 1 else 0) or levels > _MOST_LEVELS:
        raise CodestreamFault
    if any(min(each & 0xF, each >> 4) < _LEAST_PRECINCT for each in precincts):
        raise CodestreamFault
    if order > 4 or not 1 <= layers <= _MOST_LAYERS or max(colour, transform) > 1:
        raise CodestreamFault
    if width + height > _MOST_BLOCK or blocks & _HT_MIXED:
        raise CodestreamFault
    if bool(blocks & _HT_BLOCKS) != high_throughput:
        raise CodestreamFault
    return bool(transform)


def _check_quantisation(parameters: bytes, levels: int, *, reversible: bool) -> None:
    """Compare the step sizes (T.800 A.6.4) with the wavelet and its levels.

    Exponents and guard bits say how many bit-planes a decoder makes room for.
    """
    kind = parameters[0] & 0x1F if parameters else -1
    width, count = {0: (1, 3 * levels + 1), 1: (2, 1), 2: (2, 3 * levels + 1)}.get(kind, (1, -2))
    if len(parameters) - 1 != width * count or (kind == 0) != reversible:
        raise CodestreamFault
    # The exponent is in the high five bits of each step, of one byte or two (equation E-2).
    exponent = max(step >> 3 for step in parameters[1::width])
    if (parameters[0] >> 5) + exponent - 1 > _MOST_PLANES:
        raise CodestreamFault


def _step_over_tiles(cursor: Cursor, tiles: int) -> None:
    """Step over every tile-part to the end (T.800 A.4.2); each tile must have one."""
    seen: set[int] = set()
    while True:
        start = cursor.at
        marker = cursor.marker()
        if marker == _EOC:
            break
        if marker != _SOT:
            raise CodestreamFault
        end = _tile_part(cursor, start, seen)
        while (marker := cursor.marker()) != _SOD:
            if marker not in _TILE:
                raise CodestreamFault
            cursor.segment()
        if not cursor.at <= end <= len(cursor.data):
            raise CodestreamFault
        cursor.at = end
    if seen != set(range(tiles)):
        raise CodestreamFault
    cursor.finish()


def _tile_part(cursor: Cursor, start: int, seen: set[int]) -> int:
    """The offset behind a tile-part that begins at `start`; notes its tile as seen."""
    parameters = cursor.segment()
    if len(parameters) != _TILE_PART.size:
        raise CodestreamFault
    tile, length, _, _ = _TILE_PART.unpack(parameters)
    seen.add(tile)
    # The last tile-part may leave its length open: it ends where the image does.
    return start + length if length else cursor.last_marker_at()
