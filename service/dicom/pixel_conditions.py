"""Pixel conditions: what the rules of the gate ask of the elements that shape the pixels.

As in `conditions`: True when the rule is broken, and the first line is its "when" in the docs.
"""

from __future__ import annotations

from service.dicom.header import TAGS
from service.dicom.limits import Caps
from service.dicom.reader import Parsed
from service.types import SLICE_SIZE

_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
_WORD, _WORDS, _DECIMAL = ("US",), ("US", "SS"), ("DS",)
# PS3.6: the VR of every element that decides how bytes become values.
VR_OF: dict[str, tuple[str, ...]] = {
    "SamplesPerPixel": _WORD,
    "Rows": _WORD,
    "Columns": _WORD,
    "BitsAllocated": _WORD,
    "BitsStored": _WORD,
    "HighBit": _WORD,
    "PixelRepresentation": _WORD,
    "PixelPaddingValue": _WORDS,
    "PixelPaddingRangeLimit": _WORDS,
    "RescaleIntercept": _DECIMAL,
    "RescaleSlope": _DECIMAL,
    "PixelData": ("OW", "OB"),
}


def wrong_vr(keyword: str, parsed: Parsed, _: Caps) -> bool:
    """The element is written with another value representation than its own."""
    place = parsed.header.places.get(TAGS[keyword])
    return place is not None and place.vr is not None and place.vr not in VR_OF[keyword]


def colour(parsed: Parsed, _: Caps) -> bool:
    """SamplesPerPixel is not 1."""
    return parsed.header.word("SamplesPerPixel") != 1


def not_monochrome(parsed: Parsed, _: Caps) -> bool:
    """PhotometricInterpretation is neither MONOCHROME1 nor MONOCHROME2."""
    return parsed.header.text("PhotometricInterpretation").upper() not in _MONOCHROME


def not_16_bits(parsed: Parsed, _: Caps) -> bool:
    """BitsAllocated is not 16."""
    return parsed.header.word("BitsAllocated") != 16


def bits_stored(parsed: Parsed, _: Caps) -> bool:
    """BitsStored is absent, below 2, or over BitsAllocated."""
    stored = parsed.header.word("BitsStored") or 0
    return not 2 <= stored <= (parsed.header.word("BitsAllocated") or 0)


def high_bit(parsed: Parsed, _: Caps) -> bool:
    """HighBit is not BitsStored - 1."""
    return parsed.header.word("HighBit") != (parsed.header.word("BitsStored") or 0) - 1


def pixel_representation(parsed: Parsed, _: Caps) -> bool:
    """PixelRepresentation is neither 0 nor 1."""
    return parsed.header.word("PixelRepresentation") not in (0, 1)


def monochrome1(parsed: Parsed, _: Caps) -> bool:
    """PhotometricInterpretation is MONOCHROME1."""
    return parsed.header.text("PhotometricInterpretation").upper() == "MONOCHROME1"


def matrix_over_caps(parsed: Parsed, caps: Caps) -> bool:
    """Rows or columns absent or outside the caps."""
    sides = (parsed.header.word("Rows") or 0, parsed.header.word("Columns") or 0)
    return not caps.min_matrix <= min(sides) <= max(sides) <= caps.max_matrix


def matrix_not_square(parsed: Parsed, _: Caps) -> bool:
    """Rows and columns differ."""
    return parsed.header.word("Rows") != parsed.header.word("Columns")


def matrix_not_512(parsed: Parsed, _: Caps) -> bool:
    """Rows and columns are equal and not 512."""
    rows = parsed.header.word("Rows")
    return rows == parsed.header.word("Columns") and rows not in (None, SLICE_SIZE)


def pixel_length(parsed: Parsed, _: Caps) -> bool:
    """Native pixel data missing, short or long; encapsulated pixel data without a fragment."""
    if parsed.syntax is None:
        return False  # refused already; how its pixels are laid out is unknown
    if parsed.syntax.encapsulated:
        return not parsed.fragments
    header = parsed.header
    expected = int(header.number("NumberOfFrames") or 1)
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
        expected *= header.word(keyword) or 0
    # Bits to bytes, padded to an even length (PS3.5 8.1.1).
    return parsed.pixels is None or parsed.pixels.length != (expected // 8 + 1) // 2 * 2
