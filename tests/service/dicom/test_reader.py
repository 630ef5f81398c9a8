"""Reading: sniffing, file meta, inflating and the faults of bytes that are no slice."""

from __future__ import annotations

import io
import tracemalloc
import zlib

import numpy as np
import pytest

from service.dicom.decode import decode_slice
from service.dicom.limits import Caps
from service.dicom.reader import read
from service.types import Kind
from tests.factories import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    head_hu,
    make_ct_slice,
    sop_uid,
)


def faults(body: bytes, caps: Caps | None = None) -> list[tuple[str, Kind]]:
    """Code and kind of the faults of reading."""
    return [(item.code, item.kind) for item in read(body, caps or Caps()).faults]


def deflated(data: bytes) -> bytes:
    """A file of the deflated syntax whose data set inflates to `data`."""
    body = make_ct_slice(transfer_syntax=DEFLATED)
    meta_end = body.index(DEFLATED.encode()) + len(DEFLATED)
    rest = read_meta_rest(body, meta_end)
    packer = zlib.compressobj(9, wbits=-15)
    return rest + packer.compress(data) + packer.flush()


def read_meta_rest(body: bytes, syntax_end: int) -> bytes:
    """The file up to the end of its group 0002, by its group length element."""
    group_length = int.from_bytes(body[140:144], "little")
    assert syntax_end <= 144 + group_length
    return body[: 144 + group_length]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_a_data_set_without_prefix_and_meta_is_read(syntax: str) -> None:
    """Gateways send bare data sets: their encoding is told from the first element."""
    decoded = decode_slice(make_ct_slice(transfer_syntax=syntax, preamble=False))
    assert decoded.violations == ()
    assert decoded.slice_hu is not None
    assert np.array_equal(decoded.slice_hu.voxels_hu, head_hu())


@pytest.mark.parametrize(
    "body",
    [b"", b"x", bytes(1000), b"%PDF-1.7\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(99), b"{}", bytes(4)],
)
def test_other_bytes_are_not_dicom(body: bytes) -> None:
    """Bytes without the prefix that read as no data set are `not_dicom`."""
    assert faults(body) == [("not_dicom", Kind.MALFORMED)]


def test_prefix_alone_is_corrupt_or_unidentified() -> None:
    """A prefix with garbage behind it is damaged DICOM, not another format."""
    body = bytes(128) + b"DICM" + b"\x08\x00\x05\x00??garbage"
    assert ("corrupt", Kind.MALFORMED) in faults(body)


@pytest.mark.parametrize("keep", [0.0005, 0.001, 0.5])
def test_a_cut_file_is_refused_at_every_length(keep: float) -> None:
    """A file that ends in its meta, header or pixels is refused by one clear code."""
    body = make_ct_slice()
    codes = {item.code for item in decode_slice(body[: int(len(body) * keep)]).violations}
    assert codes <= {"not_dicom", "corrupt", "pixel_length"}
    assert codes


def test_body_over_its_cap() -> None:
    """One byte over the cap is too large; the cap itself is read."""
    body = make_ct_slice()
    assert faults(body, Caps(max_bytes=len(body))) == []
    over = Caps(max_bytes=len(body) - 1)
    assert faults(body, over) == [("too_large", Kind.TOO_LARGE)]


def test_deflate_bomb_is_stopped() -> None:
    """A stream that inflates to 200 MB is refused at the cap, without inflating more than that."""
    bomb = deflated(bytes(200 * 1024 * 1024))
    assert len(bomb) < 300_000
    tracemalloc.start()
    found = faults(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [("inflate_limit", Kind.TOO_LARGE)]
    assert peak < 16 * 1024 * 1024


def test_cut_deflate_stream_is_corrupt() -> None:
    """A deflate stream without its end is damaged."""
    body = make_ct_slice(transfer_syntax=DEFLATED)
    assert ("corrupt", Kind.MALFORMED) in faults(body[:-10])


def test_corruption_hides_what_was_not_reached() -> None:
    """A header cut short is `corrupt` alone, without rules for elements that were not reached."""
    body = make_ct_slice()
    cut = body[: body.index(b"H31s") + 2]
    assert [item.code for item in decode_slice(cut).violations] == ["corrupt"]


def test_identity_survives_a_rejection() -> None:
    """The UIDs of an object that is refused are still told."""
    decoded = decode_slice(make_ct_slice(seed=3, transfer_syntax="1.2.840.10008.1.2.4.100"))
    assert decoded.slice_hu is None
    assert decoded.identity.sop_instance_uid == sop_uid(3)


def test_long_report_is_skipped_by_its_class() -> None:
    """A DICOMDIR over the element cap is said to be no CT image, not to be too large."""
    body = make_ct_slice(SOPClassUID="1.2.840.10008.1.3.10")
    codes = [item.code for item in decode_slice(body, Caps(max_elements=12)).violations]
    assert codes == ["sop_class"]


def test_memoryview_is_read_like_bytes() -> None:
    """The shared slot passes a view: the answer is the same."""
    body = make_ct_slice()
    assert (
        read(memoryview(bytearray(body)), Caps()).header.identity()
        == read(io.BytesIO(body).getbuffer(), Caps()).header.identity()
    )
