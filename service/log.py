"""Log: one JSON object per line on stderr, made of an allow-list of fields.

our loggers     ─> event (fixed text), allowed fields, exception as type and own frames
other libraries ─> logger name, level and exception type only: their texts repeat paths and UIDs
access logs, pydicom ─> nothing

A record is `logging.getLogger(__name__).info("event_name", extra={"slices": 3})`. The event is
lower-case words, never with arguments put in; anything else shows as "unshown", and a field that
is not on the list is dropped, so that patient data cannot get here by carelessness.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import traceback
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

# Numbers, names from closed sets, and our own request id; nothing that an object or URL carries.
FIELDS: frozenset[str] = frozenset(
    {
        "bytes",
        "code",
        "device",
        "engine",
        "fingerprint",
        "grpc_port",
        "http_port",
        "max_batch",
        "model",
        "ms",
        "outcome",
        "pid",
        "precision",
        "reason",
        "request_id",
        "route",
        "signal",
        "slices",
        "status",
        "transport",
        "transfer_syntax",
        "version",
        "workers",
    }
)
SILENT: tuple[str, ...] = ("pydicom", "uvicorn.access", "bentoml.access", "hypercorn.access")
OWN: tuple[str, ...] = ("service", "model_build")

_MAX_TEXT = 200
_EVENT = re.compile(r"[a-z][a-z_ -]{0,79}")  # no digits: an f-string with a UID does not pass
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ENCODE = json.JSONEncoder(allow_nan=False).encode
_ROOT = Path(__file__).resolve().parent.parent
_PACKAGE = Path(__file__).resolve().parent


def new_request_id(candidate: str | None = None) -> str:
    """The client's id when it is 1 to 64 letters, digits, `.`, `_` or `-`; else a fresh one."""
    if candidate is not None and _REQUEST_ID.fullmatch(candidate):
        return candidate
    return uuid.uuid4().hex


class JsonFormatter(logging.Formatter):
    """Renders a record as one line of JSON; what is not allowed is left out."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without its newline."""
        own = record.name.partition(".")[0] in OWN
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.msg if own and _EVENT.fullmatch(str(record.msg)) else "unshown",
        }
        if own:
            line |= {name: _plain(value) for name, value in vars(record).items() if name in FIELDS}
        if record.exc_info and record.exc_info[1] is not None:
            line |= describe(record.exc_info[1])
        return _ENCODE(line)


def describe(error: BaseException) -> dict[str, object]:
    """An exception without its text: type names along its causes, and our own frames of it.

    Exception texts repeat the input (4 of 7 crafted DICOM fields came back in them).
    """
    types = [type(error).__name__]
    cause = error.__cause__ or error.__context__
    while cause is not None and len(types) < 8:
        types.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    frames = [
        f"{Path(frame.filename).relative_to(_ROOT)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-50)
        if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    return {"exception": types, "frames": frames}


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send everything through one JSON handler on `stream` (stderr); called once per process.

    Handlers that libraries have put on their own loggers are taken off: they would print beside
    ours, unfiltered.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    for name in OWN:
        logging.getLogger(name).setLevel(level.upper())
    for name in SILENT:
        logging.getLogger(name).disabled = True
        logging.getLogger(name).propagate = False  # uvicorn then does not even make up the text
    # A record that cannot be written would be printed whole, arguments included.
    logging.raiseExceptions = False
    # Warnings of libraries carry values as well; as records they lose their text.
    logging.captureWarnings(True)


def _plain(value: object) -> object:
    """A value that cannot carry much: a number, a short text, or numbers by name."""
    if isinstance(value, str):
        return str(value)[:_MAX_TEXT]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name)[:40]: _plain(item) for name, item in value.items() if _is_number(item)}
    return "unshown"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
