"""The elements that shape the pixels: value representation, and lengths that do not fit."""

from __future__ import annotations

import pytest

from service.dicom.decode import decode_slice
from service.dicom.pixel_conditions import VR_OF
from service.types import Action, Kind
from tests.factories import IMPLICIT, make_ct_slice

PADDED = {"PixelPaddingValue": 24, "PixelPaddingRangeLimit": 24}


def with_vr(keyword: str, vr: bytes) -> bytes:
    """A valid slice in which one element is written as another VR of the same header form."""
    body = make_ct_slice(**PADDED)
    old = b"OW" if keyword == "PixelData" else VR_OF[keyword][0].encode()
    tag = TAG_BYTES[keyword]
    assert body.count(tag + old) == 1
    return body.replace(tag + old, tag + vr)


TAG_BYTES = {
    "SamplesPerPixel": b"\x28\x00\x02\x00",
    "Rows": b"\x28\x00\x10\x00",
    "Columns": b"\x28\x00\x11\x00",
    "BitsAllocated": b"\x28\x00\x00\x01",
    "BitsStored": b"\x28\x00\x01\x01",
    "HighBit": b"\x28\x00\x02\x01",
    "PixelRepresentation": b"\x28\x00\x03\x01",
    "PixelPaddingValue": b"\x28\x00\x20\x01",
    "PixelPaddingRangeLimit": b"\x28\x00\x21\x01",
    "RescaleIntercept": b"\x28\x00\x52\x10",
    "RescaleSlope": b"\x28\x00\x53\x10",
    "PixelData": b"\xe0\x7f\x10\x00",
}


@pytest.mark.parametrize("keyword", VR_OF)
def test_another_value_representation_is_refused(keyword: str) -> None:
    """Rows as text, slope as a long string, pixels as 32-bit floats: nothing is guessed."""
    vr = b"OF" if keyword == "PixelData" else b"LO"
    decoded = decode_slice(with_vr(keyword, vr))
    (item,) = [found for found in decoded.violations if found.code == "wrong_vr"]
    assert (item.keyword, item.action, item.kind) == (keyword, Action.REJECT, Kind.MALFORMED)
    assert decoded.slice_hu is None


def test_signed_sizes_are_not_believed() -> None:
    """Rows as SS would read as the same number; PS3.6 says US."""
    codes = [item.code for item in decode_slice(with_vr("Rows", b"SS")).violations]
    assert "wrong_vr" in codes


def test_implicit_syntax_has_no_representation_to_be_wrong() -> None:
    """Implicit VR elements carry none, and pass."""
    body = make_ct_slice(transfer_syntax=IMPLICIT, **PADDED)
    assert [item.code for item in decode_slice(body).violations] == ["fix_padding"]


@pytest.mark.parametrize("change", [-2, -1, 1])
def test_pixel_length_is_exact(change: int) -> None:
    """A length that is short, odd or long by one byte is no picture."""
    body = make_ct_slice()
    at = body.index(b"\xe0\x7f\x10\x00OW") + 8
    length = int.from_bytes(body[at : at + 4], "little") + change
    cut = body[:at] + length.to_bytes(4, "little") + body[at + 4 : at + 4 + length]
    cut += bytes(max(0, length + at + 4 - len(cut)))
    decoded = decode_slice(cut)
    assert [item.code for item in decoded.violations] == ["pixel_length"]
    assert decoded.slice_hu is None
