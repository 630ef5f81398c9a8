"""Envelope: files whose fault lies around the data set: prefix, file meta, deflate, size."""

from __future__ import annotations

import zlib

from service.dicom.limits import Caps
from tests.factories import BIG_ENDIAN, DEFLATED, EXPLICIT, make_ct_slice
from tests.hostile.case import Case
from tests.hostile.parts import Parts, deflated, element, head_of, valid

MIB = 1024 * 1024
_PAD = 0x00204000  # ImageComments: a text element between the geometry and the pixels
_UNREGISTERED = "1.2.3.4"
_MPEG2 = "1.2.840.10008.1.2.4.100"

# A reader that trusts the preamble takes the file for a program or a page (CVE-2019-11687).
_POLYGLOTS = {
    "windows program": b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff",
    "linux program": b"\x7fELF\x02\x01\x01\x00" + bytes(8) + b"\x02\x00\x3e\x00",
    "script": b"#!/bin/sh\nexec /bin/false\n",
    "page": b"<!DOCTYPE html><script>alert(1)</script>",
    "pdf": b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>endobj",
    "zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
    "tiff": b"II*\x00\x08\x00\x00\x00",
}


def polyglot(preamble: bytes) -> bytes:
    """The valid slice behind a preamble that means something to other programs."""
    return preamble.ljust(128, b"\0") + valid().file()[128:]


def zeros(mib: int) -> bytes:
    """A raw deflate stream that inflates to so many MiB of zeros, made of equal blocks."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * mib + packer.flush()


def bomb() -> bytes:
    """About a megabyte that inflates to a gigabyte."""
    return head_of(DEFLATED) + zeros(1000)


def bomb_behind_a_slice() -> bytes:
    """A readable slice whose deflate stream goes on for another gigabyte of zeros."""
    packer = zlib.compressobj(1, wbits=-15)
    good = packer.compress(valid().data()) + packer.flush(zlib.Z_FULL_FLUSH)
    return head_of(DEFLATED) + good + zeros(1000)


def of_size(size: int) -> bytes:
    """A valid slice with trailing zeros behind its pixels up to so many bytes."""
    return valid().file().ljust(size, b"\0")


def lying_meta_length() -> bytes:
    """The group length of the file meta group (0002,0000) is 4 GiB; it is not believed."""
    body = valid().file()
    return body[:140] + b"\xff\xff\xff\xff" + body[144:]


def cut_deflate() -> bytes:
    """A deflate stream that ends in the middle."""
    body = make_ct_slice(transfer_syntax=DEFLATED)
    return body[: len(body) * 2 // 3]


def long_comment(size: int) -> bytes:
    """A valid slice with a comment of so many characters."""
    comment = element(_PAD, "UT", b"A" * size)
    return valid().put(_PAD, comment).file()


def wrong_order() -> bytes:
    """Declared big endian, written little endian."""
    return Parts(head_of(BIG_ENDIAN), valid().elements).file()


CASES: tuple[Case, ...] = (
    Case("empty", lambda: b"", 400, "not_dicom"),
    Case("one byte", lambda: b"\0", 400, "not_dicom"),
    Case("prefix without preamble", lambda: b"DICM", 400, "not_dicom"),
    Case("preamble without prefix", lambda: bytes(128), 400, "not_dicom"),
    Case("preamble only", lambda: bytes(128) + b"DICM", 422, "identity_missing"),
    Case("file meta only", lambda: head_of(EXPLICIT), 422, "identity_missing"),
    Case("all ones behind the prefix", lambda: bytes(128) + b"DICM" + b"\xff" * MIB, 400),
    Case("a megabyte of ones", lambda: b"\xff" * MIB, 400, "not_dicom"),
    Case("a picture", lambda: b"\x89PNG\r\n\x1a\n" + bytes(4096), 400, "not_dicom"),
    *(
        Case(f"polyglot {name}", lambda preamble=preamble: polyglot(preamble), 200)
        for name, preamble in _POLYGLOTS.items()
    ),
    Case("no preamble", lambda: make_ct_slice(preamble=False), 200),
    Case("file meta group length of 4 GiB", lying_meta_length, 200),
    Case("declared big, written little endian", wrong_order, 400, "corrupt"),
    Case(
        "unregistered syntax",
        lambda: make_ct_slice(transfer_syntax=_UNREGISTERED),
        415,
        "transfer_syntax",
    ),
    Case("video syntax", lambda: make_ct_slice(transfer_syntax=_MPEG2), 415, "transfer_syntax"),
    Case("deflate bomb", bomb, 413, "inflate_limit"),
    Case("deflate bomb behind a slice", bomb_behind_a_slice, 413, "inflate_limit"),
    Case("deflate cut short", cut_deflate, 400, "corrupt"),
    Case("deflate with a zlib header", lambda: deflated(valid().data(), 15), 400, "corrupt"),
    Case("deflate of nothing", lambda: deflated(b""), 400, "corrupt"),
    Case("noise as deflate", lambda: head_of(DEFLATED) + b"\xde\xad" * 512, 400, "corrupt"),
    Case("largest body", lambda: of_size(Caps().max_bytes), 200),
    Case("one byte over the largest body", lambda: of_size(Caps().max_bytes + 1), 413, "too_large"),
    Case("comment of 64 KiB", lambda: long_comment(65536), 200),
    Case("header over its cap", lambda: long_comment(600_000), 413, "header_limit"),
)
