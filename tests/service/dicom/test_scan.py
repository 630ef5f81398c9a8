"""The bounded walk: what it finds, what it refuses, and that attacks cost little."""

from __future__ import annotations

import struct
import time

import pytest

from service.dicom.limits import Caps
from service.dicom.scan import PIXEL_DATA, Encoding, Layout, ScanFault, Scanner
from service.dicom.violations import HEADER_LIMIT, TAG_ORDER

ROWS = 0x00280010
EXPLICIT = Encoding(implicit=False)
IMPLICIT = Encoding(implicit=True)
ITEM, ITEM_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D)
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
OPEN_ITEM = struct.pack("<HHL", *ITEM, 0xFFFFFFFF)
CLOSE_ITEM = struct.pack("<HHL", *ITEM_END, 0)
OPEN_SEQUENCE = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)


def us(group: int, element: int, value: int = 1) -> bytes:
    """An explicit US element."""
    return struct.pack("<HH2sHH", group, element, b"US", 2, value)


def pixels(value: bytes, length: int | None = None) -> bytes:
    """An explicit OW pixel data element that may lie about its length."""
    size = len(value) if length is None else length
    return struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size) + value


def fragment(value: bytes) -> bytes:
    """An item of encapsulated pixel data."""
    return struct.pack("<HHL", *ITEM, len(value)) + value


def walk(data: bytes, encoding: Encoding = EXPLICIT, caps: Caps | None = None) -> Layout:
    """Walk data that must be sound."""
    scanner = Scanner(memoryview(data), encoding, caps or Caps(), frozenset((ROWS, PIXEL_DATA)))
    assert scanner.walk(0) == len(data)
    return scanner.layout


def fault(data: bytes, encoding: Encoding = EXPLICIT, caps: Caps | None = None) -> bool:
    """Walk data that must be refused; True when the reason is a cap."""
    scanner = Scanner(memoryview(data), encoding, caps or Caps(), frozenset((ROWS, PIXEL_DATA)))
    with pytest.raises(ScanFault) as caught:
        scanner.walk(0)
    return caught.value.violation is HEADER_LIMIT


def test_wanted_elements_are_found_and_others_stepped_over() -> None:
    """Only the wanted tag is recorded, with VR, place and length."""
    layout = walk(us(0x0028, 0x0002) + us(0x0028, 0x0010))
    (place,) = layout.places.values()
    assert (place.vr, place.start, place.length) == ("US", 18, 2)


def test_implicit_elements() -> None:
    """An implicit element has a 32-bit length and no VR."""
    layout = walk(struct.pack("<HHLH", 0x0028, 0x0010, 2, 512), IMPLICIT)
    assert layout.places[ROWS].vr is None
    assert layout.places[ROWS].start == 8


def test_nested_sequences_of_undefined_length_are_stepped_over() -> None:
    """A Rows element inside an item is not the one of the image."""
    inner = OPEN_SEQUENCE + OPEN_ITEM + us(0x0028, 0x0010, 9) + CLOSE_ITEM + SEQUENCE_END
    layout = walk(inner + us(0x0028, 0x0010, 512))
    assert layout.places[ROWS].start == len(inner) + 8


def test_unknown_vr_of_undefined_length_is_implicit_inside() -> None:
    """CP-246: an undefined-length UN holds implicit items."""
    head = struct.pack("<HH2sHL", 0x0009, 0x1010, b"UN", 0, 0xFFFFFFFF)
    inside = OPEN_ITEM + struct.pack("<HHLH", 0x0009, 0x0010, 2, 0) + CLOSE_ITEM
    assert ROWS in walk(head + inside + SEQUENCE_END + us(0x0028, 0x0010)).places


def test_fragments_without_the_offset_table() -> None:
    """The first item is the offset table; the rest are fragments."""
    open_pixels = pixels(b"", 0xFFFFFFFF)
    layout = walk(open_pixels + fragment(b"") + fragment(b"abcd") + SEQUENCE_END)
    assert [place.length for place in layout.fragments] == [4]


def test_trailing_zeros_are_harmless() -> None:
    """Zero padding behind the pixel data is ignored."""
    assert PIXEL_DATA in walk(pixels(b"ab") + bytes(32)).places


@pytest.mark.parametrize(
    "data",
    [
        us(0x0028, 0x0010) + us(0x0028, 0x0010),
        us(0x0028, 0x0011) + us(0x0028, 0x0010),
        pixels(b"ab") + pixels(b"cd"),
        us(0x0028, 0x0010)[:-1],
        us(0x0028, 0x0010) + b"\x28",
        struct.pack("<HH2sHH", 0x0028, 0x0010, b"??", 2, 1),
        struct.pack("<HH2sHL", 0x0028, 0x0010, b"UN", 0, 0xFFFFFFF0),
        OPEN_SEQUENCE,
        OPEN_SEQUENCE + us(0x0028, 0x0010),
        OPEN_SEQUENCE + CLOSE_ITEM,
        OPEN_SEQUENCE + OPEN_ITEM + SEQUENCE_END,
        pixels(b"", 0xFFFFFFFF) + fragment(b"") + struct.pack("<HHL", *ITEM, 99),
        pixels(b"", 0xFFFFFFFF) + us(0x0028, 0x0010),
    ],
    ids=[
        "element twice",
        "tags descend",
        "pixel data twice",
        "value cut",
        "header cut",
        "unknown VR",
        "4 GiB element",
        "sequence never ends",
        "element instead of item",
        "stray item end",
        "item never ends",
        "fragment cut",
        "element instead of fragment",
    ],
)
def test_damaged_bytes_are_a_fault(data: bytes) -> None:
    """Each kind of damage ends the walk, and is not taken for a breached cap."""
    assert fault(data) is False


@pytest.mark.parametrize(
    "data",
    [us(0x0028, 0x0010) + us(0x0028, 0x0010), us(0x0028, 0x0011) + us(0x0028, 0x0010)],
    ids=["twice", "descending"],
)
def test_order_has_its_own_violation(data: bytes) -> None:
    """An element that is there twice, or too late, is told from other damage."""
    scanner = Scanner(memoryview(data), EXPLICIT, Caps(), frozenset())
    with pytest.raises(ScanFault) as caught:
        scanner.walk(0)
    assert caught.value.violation is TAG_ORDER


def test_short_pixel_data_is_left_to_the_gate() -> None:
    """Pixel data longer than the file is recorded with the length that it declares."""
    layout = walk(pixels(b"abcd", 4000))
    assert layout.places[PIXEL_DATA].length == 4000


@pytest.mark.parametrize(
    "data",
    [
        b"".join(us(group, 0x0001) for group in range(8, 8 + 5000)),
        OPEN_SEQUENCE + fragment(b"") * 200_000,
        (OPEN_SEQUENCE + OPEN_ITEM) * 100_000,
        pixels(b"", 0xFFFFFFFF) + fragment(b"ab") * 500_000,
        struct.pack("<HH2sHL", 0x0009, 0x1010, b"OB", 0, 600_000) + bytes(600_000) + pixels(b"ab"),
    ],
    ids=["elements", "empty items", "nesting", "fragments", "header bytes"],
)
def test_floods_end_at_a_cap_at_once(data: bytes) -> None:
    """What costs a recursive reader seconds or its stack is refused within 0.2 s."""
    start = time.perf_counter()
    assert fault(data) is True
    assert time.perf_counter() - start < 0.2


def test_depth_cap_is_exact() -> None:
    """Sequences nested as deep as the cap pass, one more does not."""
    caps = Caps(max_depth=3)

    def nested(depth: int) -> bytes:
        opened = (OPEN_SEQUENCE + OPEN_ITEM) * depth
        return opened + (CLOSE_ITEM + SEQUENCE_END) * depth

    walk(nested(3), caps=caps)
    assert fault(nested(4), caps=caps) is True
