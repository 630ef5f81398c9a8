"""Typed access to elements: what is a number, a word, a UID, and what reads as nothing."""

from __future__ import annotations

from typing import Any

import pytest

from service.dicom.header import TAGS, Header
from service.dicom.limits import Caps
from service.dicom.reader import read
from tests.factories import make_ct_slice


def header(**fields: Any) -> Header:
    """The header of a slice with these fields."""
    return read(make_ct_slice(**fields), Caps()).header


def test_every_keyword_has_its_own_tag() -> None:
    """A misspelt keyword would silently never be found."""
    assert 0 not in TAGS.values()
    assert len(set(TAGS.values())) == len(TAGS)
    assert TAGS["Rows"] == 0x00280010


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"1", 1.0),
        (b" -1.5e2 ", -150.0),
        (b"+.5", 0.5),
        (b"7\\x", 7.0),
        (b"", None),
        (b"nan", None),
        (b"inf", None),
        (b"1e999", None),
        (b"0x10", None),
        (b"1_000", None),
        (b"1,5", None),
        (b"9" * 2000, None),
    ],
)
def test_numbers(raw: bytes, expected: float | None) -> None:
    """Only finite decimals are numbers; Python's other spellings are not."""
    assert header(RescaleSlope=raw).number("RescaleSlope") == expected


def test_numbers_are_all_or_nothing() -> None:
    """One bad value of several makes a vector unusable."""
    assert header(PixelSpacing=b"0.5\\0.5").numbers("PixelSpacing") == (0.5, 0.5)
    assert header(PixelSpacing=b"0.5\\x").numbers("PixelSpacing") is None


def test_word_wants_its_vr_and_length() -> None:
    """Rows as two words, or as text of two bytes, is no matrix size."""
    assert header().word("Rows") == 512
    assert header(Rows=[512, 512]).word("Rows") is None
    body = make_ct_slice().replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00LO")
    assert read(body, Caps()).header.word("Rows") is None


@pytest.mark.parametrize("uid", ["1.2.840.99", "2.25.1", "1.2.03", "1." * 31 + "11"])
def test_valid_uid_is_returned_without_padding(uid: str) -> None:
    """The trailing NUL that evens the length is no part of a UID."""
    assert header(SOPInstanceUID=uid).identity().sop_instance_uid == uid


@pytest.mark.parametrize(
    "uid", ["1.2.x", "<script>", "1" * 65, "ID_6431af929", "", ".", "1..2", "1.2.", ".1"]
)
def test_anything_else_is_no_uid(uid: str) -> None:
    """What is not 1 to 64 characters of numbers between dots is never echoed."""
    assert header(SOPInstanceUID=uid).identity().sop_instance_uid == ""
