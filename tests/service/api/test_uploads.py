"""Tests of the body reader through the route: media types with parameters, chunks, related."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from starlette.requests import Request

from service.api.uploads import _raw
from tests.service.api.test_multipart import BOUNDARY, closed, part

RELATED = 'multipart/related; type="application/dicom"; boundary=' + BOUNDARY.decode()


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    """A body without a declared length."""
    for piece in pieces:
        yield piece


async def test_related_parts_are_slices(client: httpx.AsyncClient) -> None:
    """A DICOMweb body of two parts is answered like a form of two files."""
    body = closed(part(b"1", b""), part(b"2", b""))
    answer = await client.post("/classify", content=body, headers={"content-type": RELATED})
    slices = answer.json()["slices"]
    assert [item["sop_instance_uid"] for item in slices] == ["1.2.1", "1.2.2"]
    assert [item["file_name"] for item in slices] == [None, None]


async def test_a_body_of_one_message_is_not_copied() -> None:
    """The decode pool gets the very bytes that the server has read."""
    message = b"x" * 1000
    request = cast(Request, SimpleNamespace(stream=lambda: chunks(b"", message, b"")))
    assert (await _raw(request)).body is message


async def test_body_may_come_in_pieces(client: httpx.AsyncClient) -> None:
    """Pieces without a length in front are put together, empty ones included."""
    headers = {"content-type": "application/dicom"}
    answer = await client.post("/classify", content=chunks(b"1", b"", b"2"), headers=headers)
    assert answer.json()["slices"][0]["sop_instance_uid"] == "1.2.12"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80",
        "Application/DICOM",
        "application/octet-stream ; charset=binary",
    ],
)
async def test_parameters_and_case_do_not_matter(
    client: httpx.AsyncClient, media_type: str
) -> None:
    """The media type is compared as RFC 9110 has it."""
    answer = await client.post("/classify", content=b"1", headers={"content-type": media_type})
    assert answer.status_code == 200


async def test_empty_pieces_are_an_empty_request(client: httpx.AsyncClient) -> None:
    """A chunked body that turns out to be empty is refused like one that declares it."""
    headers = {"content-type": "application/dicom"}
    answer = await client.post("/classify", content=chunks(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "empty_request")


async def test_identity_is_no_encoding(client: httpx.AsyncClient) -> None:
    """`Content-Encoding: identity` says that there is none."""
    headers = {"content-type": "application/dicom", "content-encoding": "Identity"}
    assert (await client.post("/classify", content=b"1", headers=headers)).status_code == 200


async def test_refusal_says_what_is_taken(client: httpx.AsyncClient) -> None:
    """The problem lists the media types, so that a client can be mended without the manual."""
    answer = await client.post("/classify", content=b"1")
    for taken in ("application/dicom", "application/octet-stream", "multipart/form-data"):
        assert taken in answer.json()["detail"]
