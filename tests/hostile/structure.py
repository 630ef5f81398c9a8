"""Structure: hostile data sets whose fault lies in elements, lengths, nesting and order."""

from __future__ import annotations

import struct

from tests.hostile.case import Case
from tests.hostile.parts import ITEM, ITEM_END, SEQUENCE_END, UNDEFINED, Parts, element, valid

_SEQUENCE = 0x00400275  # RequestAttributesSequence, between the window and the pixels
_PRIVATE = 0x00410000
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_PATIENT_NAME, _COMMENTS, _SLOPE = 0x00100010, 0x00204000, 0x00281053
_INTERCEPT = 0x00281052


def nested(levels: int, *, closed: bool = True) -> bytes:
    """A sequence of undefined length in a sequence in a sequence ..."""
    level = element(_SEQUENCE, "SQ", length=UNDEFINED) + ITEM
    return level * levels + (ITEM_END + SEQUENCE_END) * (levels if closed else 0)


def nested_by_length(levels: int) -> bytes:
    """The same with true lengths: stepped over in one go, so that depth costs nothing."""
    value = b""
    for _ in range(levels):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value
        value = element(_SEQUENCE, "SQ", item)
    return value


def with_sequence(raw: bytes) -> bytes:
    """The valid slice with these bytes in the place of a sequence."""
    return valid().put(_SEQUENCE, raw).file()


def many_elements(count: int) -> bytes:
    """A slice without pixels in front of which so many empty elements stand, in order."""
    flood = b"".join(element(_PRIVATE + number, "LO") for number in range(count))
    return valid().put(_PRIVATE, flood).put(0x7FE00010).file()


def empty_items(count: int) -> bytes:
    """One sequence with so many empty items."""
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    return with_sequence(element(_SEQUENCE, "SQ", length=UNDEFINED) + item * count + SEQUENCE_END)


def with_element(tag: int, vr: str, value: bytes = b"", length: int | None = None) -> bytes:
    """The valid slice with one element replaced or added."""
    return valid().put(tag, element(tag, vr, value, length)).file()


def twice(tag: int) -> bytes:
    """The valid slice with one element written twice."""
    return valid().put(tag, valid().elements[tag] * 2).file()


def shadowed(tag: int, behind: int) -> bytes:
    """A second copy of an element far behind its place, where a careless reader lets it win."""
    parts = valid()
    return parts.put(behind, parts.elements[behind], parts.elements[tag]).file()


def reversed_order() -> bytes:
    """Every element present, the highest tag first."""
    parts = valid()
    return parts.head + b"".join(parts.elements[tag] for tag in sorted(parts.elements)[::-1])


def missing(tag: int) -> Parts:
    """The valid slice without one element."""
    return valid().put(tag)


_OPEN = element(_SEQUENCE, "SQ", length=UNDEFINED)

# fmt: off
CASES: tuple[Case, ...] = (
    Case("nesting of 15", lambda: with_sequence(nested(15)), 200),
    Case("nesting of 200", lambda: with_sequence(nested(200)), 413, "header_limit"),
    Case("nesting of 20,000, never closed",
         lambda: with_sequence(nested(20_000, closed=False)), 413, "header_limit"),
    Case("nesting of 100,000, never closed",
         lambda: missing(0x7FE00010).put(_SEQUENCE, nested(100_000, closed=False)).file(), 413,
         "header_limit"),
    Case("nesting of 2,000 by length", lambda: with_sequence(nested_by_length(2_000)), 200),
    Case("500,000 elements", lambda: many_elements(500_000), 413, "header_limit"),
    Case("5,000 elements", lambda: many_elements(5_000), 413, "header_limit"),
    Case("200,000 empty items", lambda: empty_items(200_000), 413, "header_limit"),
    Case("1,000 empty items", lambda: empty_items(1_000), 200),
    Case("element of 4 GiB", lambda: with_element(_COMMENTS, "UT", b"A", 0xFFFFFFFE), 400,
         "corrupt"),
    Case("sequence of 4 GiB", lambda: with_element(_SEQUENCE, "SQ", b"", 0xFFFFFFFE), 400,
         "corrupt"),
    Case("item of 4 GiB",
         lambda: with_sequence(_OPEN + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFE)), 400,
         "corrupt"),
    Case("length past the end by one",
         lambda: missing(0x7FE00010).put(_PRIVATE, element(_PRIVATE, "UN", b"AB", 3)).file(), 400,
         "corrupt"),
    Case("sequence without its end", lambda: with_sequence(_OPEN + ITEM + ITEM_END), 400,
         "corrupt"),
    Case("item without its end", lambda: with_sequence(_OPEN + ITEM + SEQUENCE_END), 400,
         "corrupt"),
    Case("end without a beginning", lambda: with_sequence(SEQUENCE_END), 400, "tag_order"),
    Case("item outside a sequence", lambda: with_sequence(ITEM + ITEM_END), 400, "corrupt"),
    Case("text of undefined length", lambda: with_element(_COMMENTS, "UT", b"AB", UNDEFINED), 400,
         "corrupt"),
    Case("private bytes of undefined length",
         lambda: with_element(_PRIVATE, "UN", ITEM + ITEM_END + SEQUENCE_END, UNDEFINED), 200),
    Case("rows twice", lambda: twice(_ROWS), 400, "tag_order"),
    Case("patient name twice", lambda: twice(_PATIENT_NAME), 400, "tag_order"),
    Case("pixels twice", lambda: twice(0x7FE00010), 400, "tag_order"),
    Case("second slope behind the pixels", lambda: shadowed(_SLOPE, 0x7FE00010), 400, "tag_order"),
    Case("elements in reverse", reversed_order, 400, "tag_order"),
    Case("bytes behind the pixels", lambda: valid().file() + b"\x01", 400, "corrupt"),
    Case("text of odd length", lambda: with_element(_COMMENTS, "LT", b"odd"), 200),
    Case("rows of odd length", lambda: with_element(_ROWS, "US", b"\0\2\0"), 422, "matrix_size"),
    Case("rows as text", lambda: with_element(_ROWS, "IS", b"512 "), 422, "matrix_size"),
    Case("rows as a long", lambda: with_element(_ROWS, "UL", b"\0\2\0\0"), 422, "matrix_size"),
    Case("rows with two values", lambda: with_element(_ROWS, "US", b"\0\2\0\2"), 422,
         "matrix_size"),
    Case("rows missing", lambda: missing(_ROWS).file(), 422, "matrix_size"),
    Case("unknown value representation", lambda: with_element(_COMMENTS, "??"), 400, "corrupt"),
    Case("lower-case value representation", lambda: with_element(_COMMENTS, "lt"), 400, "corrupt"),
    Case("identifier of 66 characters",
         lambda: with_element(0x00080018, "UI", b"1." * 33), 422, "identity_missing"),
    Case("identifier with a path", lambda: with_element(0x00080018, "UI", b"../../etc/passwd"),
         422, "identity_missing"),
    Case("slope nan", lambda: with_element(_SLOPE, "DS", b"nan "), 422, "rescale_missing"),
    Case("slope inf", lambda: with_element(_SLOPE, "DS", b"inf "), 422, "rescale_missing"),
    Case("slope 0", lambda: with_element(_SLOPE, "DS", b"0 "), 422, "rescale_missing"),
    Case("slope 1e999", lambda: with_element(_SLOPE, "DS", b"1e999 "), 422, "rescale_missing"),
    Case("slope 1e39", lambda: with_element(_SLOPE, "DS", b"1e39"), 422, "hu_not_finite"),
    Case("intercept nan", lambda: with_element(_INTERCEPT, "DS", b"nan "), 422, "rescale_missing"),
    Case("number of 60,000 digits", lambda: with_element(_SLOPE, "DS", b"9" * 60_000), 422,
         "rescale_missing"),
    Case("character set of escapes",
         lambda: with_element(0x00080005, "CS", b"\\ISO 2022 IR 87\\\x1b\x24\x42 "), 200),
)
# fmt: on
