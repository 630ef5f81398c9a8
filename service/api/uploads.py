"""Uploads: the body of a request -> the objects in it, by media type, read once into memory.

application/dicom | application/octet-stream ─> one object
multipart/form-data (fields `files`) | multipart/related ─> one object per part
"""

from __future__ import annotations

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.requests import Request

from service.api.multipart import PartCollector
from service.config import Settings
from service.errors import EmptyRequest, UnsupportedMediaType
from service.types import Upload

RAW = ("application/dicom", "application/octet-stream")
FORM, RELATED = "multipart/form-data", "multipart/related"


class MediaTypeNotTaken(UnsupportedMediaType):
    """As its base, and says what is taken."""

    message = (
        f"The endpoint takes {', '.join(RAW)}, {FORM} and {RELATED}, without content encoding."
    )


async def read_uploads(request: Request, settings: Settings) -> list[Upload]:
    """Read the body of a request; its size and duration are limited by `api.limits`.

    Raises:
        EmptyRequest: there is no body.
        UnsupportedMediaType: not one of the four media types, or a content encoding.
        MalformedRequest: a multipart body that cannot be read.
        TooManySlices: more parts than `max_files`.
    """
    headers = request.headers
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise MediaTypeNotTaken  # inflating would be the one way around the size limit
    if _declares_no_body(headers):
        raise EmptyRequest
    media_type, parameters = parse_options_header(headers.get("content-type"))
    kind = media_type.decode("latin-1").strip()
    if kind in RAW:
        return [await _raw(request)]
    if kind == RELATED and parameters.get(b"type", b"application/dicom") != b"application/dicom":
        raise MediaTypeNotTaken
    if kind not in (FORM, RELATED):
        raise MediaTypeNotTaken
    collector = PartCollector(
        parameters.get(b"boundary", b""),
        form=kind == FORM,
        max_parts=settings.max_files,
        max_part_bytes=settings.largest_object_bytes,
    )
    async for chunk in request.stream():
        collector.feed(chunk)
    return collector.close()


def _declares_no_body(headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    return "transfer-encoding" not in headers and int(length) == 0


async def _raw(request: Request) -> Upload:
    # A growing buffer would move what it has each time it grows; a lone piece is not copied at all.
    pieces = [chunk async for chunk in request.stream() if chunk]
    return Upload(pieces[0] if len(pieces) == 1 else b"".join(pieces))
