"""Multipart: the parts of a streamed multipart body, in memory, capped while they arrive.

chunk ─> python-multipart (boundaries, headers) ─> one bytearray per part ─> Upload

Nothing is written to disk and no part is copied twice. A part over its cap keeps one byte too
many: the pipeline then refuses that slice and the others go on.
"""

from __future__ import annotations

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from service.errors import MalformedRequest, TooManySlices
from service.types import Upload

FIELD_NAME = "files"
MAX_NAME_CHARS = 255
MAX_HEADERS = 16
MAX_HEADER_BYTES = 4096
# RFC 7578 section 4.7 deprecates the others; taking them as they are would hide the reason.
PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})


class PartCollector:
    """Collects the parts of one body.

    Args:
        boundary: from the media type, without its dashes.
        form: multipart/form-data, where every part must be a field named `files`; otherwise
            multipart/related, where every part is an object (DICOM PS3.18 section 8.7.3).
        max_parts: most parts.
        max_part_bytes: bytes kept of one part are at most this and one more.

    Raises:
        MalformedRequest: the boundary is not one.
    """

    def __init__(self, boundary: bytes, *, form: bool, max_parts: int, max_part_bytes: int) -> None:
        self._form = form
        self._max_parts = max_parts
        self._kept_bytes = max_part_bytes + 1
        self._uploads: list[Upload] = []
        self._part = bytearray()
        self._headers: dict[str, str] = {}
        self._field = bytearray()
        self._value = bytearray()
        self._complete = False
        if not boundary:
            raise MalformedRequest
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_field,
                    "on_header_value": self._on_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._check_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
                max_header_count=MAX_HEADERS,
                max_header_size=MAX_HEADER_BYTES,
            )
        except FormParserError as error:
            raise MalformedRequest from error

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            MalformedRequest: not multipart, or a part that does not belong here.
            TooManySlices: one part more than allowed.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedRequest from error

    def close(self) -> list[Upload]:
        """The parts, in the order of the body.

        Raises:
            MalformedRequest: the body ended before its last boundary.
        """
        if not self._complete:
            raise MalformedRequest
        return self._uploads

    def _begin(self) -> None:
        if len(self._uploads) == self._max_parts:
            raise TooManySlices
        self._part = bytearray()
        self._headers = {}

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._field.clear()
        self._value.clear()

    def _check_headers(self) -> None:
        encoding = self._headers.get("content-transfer-encoding", "")
        if encoding.strip().lower() not in PLAIN_ENCODINGS:
            raise MalformedRequest
        if self._form and self._disposition().get(b"name") != FIELD_NAME.encode():
            raise MalformedRequest

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        room = self._kept_bytes - len(self._part)
        if room > 0:
            self._part += memoryview(data)[start : min(end, start + room)]

    def _end(self) -> None:
        name = self._disposition().get(b"filename")
        text = None if name is None else name.decode("utf-8", "replace")[:MAX_NAME_CHARS]
        self._uploads.append(Upload(memoryview(self._part), text))

    def _finish(self) -> None:
        self._complete = True

    def _disposition(self) -> dict[bytes, bytes]:
        return parse_options_header(self._headers.get("content-disposition"))[1]
