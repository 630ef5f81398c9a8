"""Tests of the multipart reader: hand-written bodies in pieces of every size."""

from __future__ import annotations

import pytest

from service.api.multipart import MAX_HEADERS, PartCollector
from service.errors import MalformedRequest, TooManySlices
from service.types import Upload

BOUNDARY = b"b0undary"
# Content that looks like the beginning of a boundary must survive.
TRICKY = b"\r\n--b0undar\r\n--b0undarx\r\n-\r\r\n"


def part(body: bytes, disposition: bytes = b'form-data; name="files"; filename="a.dcm"') -> bytes:
    """One part with its leading boundary."""
    header = b"Content-Disposition: " + disposition + b"\r\n" if disposition else b""
    return b"--" + BOUNDARY + b"\r\n" + header + b"\r\n" + body + b"\r\n"


def closed(*parts: bytes) -> bytes:
    """A whole body of these parts."""
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def collect(
    body: bytes, step: int = 65536, *, form: bool = True, most: int = 4, size: int = 1024
) -> list[Upload]:
    """Feed a body in pieces of `step` bytes."""
    collector = PartCollector(BOUNDARY, form=form, max_parts=most, max_part_bytes=size)
    for start in range(0, len(body), step):
        collector.feed(body[start : start + step])
    return collector.close()


def contents(uploads: list[Upload]) -> list[tuple[bytes, str | None]]:
    """Bytes and names."""
    return [(bytes(upload.body), upload.name) for upload in uploads]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 11, 65536])
def test_parts_survive_any_cut(step: int) -> None:
    """However the body is cut, the parts are the same, also those that look like boundaries."""
    body = closed(part(b"\x00\x01\xff"), part(TRICKY), part(b""))
    expected = [(b"\x00\x01\xff", "a.dcm"), (TRICKY, "a.dcm"), (b"", "a.dcm")]
    assert contents(collect(body, step)) == expected


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        pytest.param(b'form-data; name="files"', None, id="no file name"),
        pytest.param('form-data; name="files"; filename="Schädel.dcm"'.encode(), "Schädel.dcm"),
        pytest.param(b'form-data; name=files; filename="../../x"', "../../x", id="as sent"),
        pytest.param(b'form-data; name="files"; filename="\xff"', "\ufffd", id="not UTF-8"),
        pytest.param(
            b'form-data; name="files"; filename="' + b"n" * 300 + b'"', "n" * 255, id="long"
        ),
    ],
)
def test_file_name_is_kept_as_sent(disposition: bytes, name: str | None) -> None:
    """The name is echoed and nothing else, so it is only shortened and made valid text."""
    assert contents(collect(closed(part(b"x", disposition)))) == [(b"x", name)]


def test_part_over_its_cap_keeps_one_byte_more() -> None:
    """The pipeline can tell that the part was too large, and memory stays bounded."""
    body = closed(part(b"x" * 5000), part(b"y" * 10))
    for step in (1, 64, 65536):
        assert [len(item.body) for item in collect(body, step, size=10)] == [11, 10]


def test_one_part_too_many() -> None:
    """The limit itself passes, one more does not, and it is refused when it begins."""
    assert len(collect(closed(*[part(b"x")] * 4))) == 4
    collector = PartCollector(BOUNDARY, form=True, max_parts=4, max_part_bytes=9)
    with pytest.raises(TooManySlices):
        collector.feed(part(b"x") * 5)


def test_related_takes_parts_without_disposition() -> None:
    """In multipart/related every part is an object and none has a field name."""
    assert contents(collect(closed(part(b"x", b"")), form=False)) == [(b"x", None)]


HEADERS = b"".join(b"X-%d: y\r\n" % number for number in range(MAX_HEADERS + 1))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"DICM not multipart", id="no boundary"),
        pytest.param(part(b"x"), id="not closed"),
        pytest.param(closed(part(b"x"))[:-5], id="cut in the last boundary"),
        pytest.param(closed(part(b"x", b'form-data; name="other"')), id="other field"),
        pytest.param(closed(part(b"x", b"")), id="no field"),
        pytest.param(
            closed(part(b"x", b'form-data; name="files"\r\nContent-Transfer-Encoding: base64')),
            id="base64",
        ),
        pytest.param(closed(b"--" + BOUNDARY + b"\r\n" + HEADERS + b"\r\nx\r\n"), id="headers"),
        pytest.param(closed(part(b"x", b"a" * 5000)), id="long header"),
    ],
)
def test_body_that_is_no_form_is_malformed(body: bytes) -> None:
    """Every fault of the envelope is the one error that says nothing of the content."""
    with pytest.raises(MalformedRequest):
        collect(body)


@pytest.mark.parametrize("boundary", [b"", b"x" * 400])
def test_boundary_must_be_one(boundary: bytes) -> None:
    """An absent or endless boundary is refused before the body is read."""
    with pytest.raises(MalformedRequest):
        PartCollector(boundary, form=True, max_parts=1, max_part_bytes=1)
