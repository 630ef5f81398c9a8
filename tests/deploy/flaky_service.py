"""Flaky service: a real HTTP server that fails as told and then answers like /classify."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from service.types import LABELS

PROBLEM = b'{"code": "not_assessable"}'


@dataclass
class Script:
    """What to answer first, and what came in: file names by accepted request."""

    failures: list[int] = field(default_factory=list)
    accepted: list[list[str]] = field(default_factory=list)
    attempts: int = 0
    ready: bool = True
    always: int = 200


def part_names(body: bytes, content_type: str) -> list[str]:
    """File names of the DICOM parts; a part that is not a whole DICOM file is an error."""
    boundary = content_type.partition("boundary=")[2].encode()
    names = []
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if content[128:132] != b"DICM" or not content.endswith(b"\r\n"):
            raise ValueError("a part is not a DICOM file")
        names.append(head.partition(b'filename="')[2].partition(b'"')[0].decode())
    return names


def verdict(index: int) -> dict[str, Any]:
    """Slice n of a request: n/10 for every label, subdural over its threshold from slice 1 on."""
    return {
        "index": index,
        "status": "classified",
        "probabilities": dict.fromkeys(LABELS, index / 10),
        "findings": ["subdural"] if index else [],
        "warnings": [{"code": "odd_spacing"}] if index == 0 else [],
        "errors": [],
    }


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1, so that libcurl behaves as with the real service."""

    protocol_version = "HTTP/1.1"
    script: Script

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Readiness, as the script says."""
        self._answer(200 if self.script.ready else 503, b"ready" if self.script.ready else b"no")

    def do_POST(self) -> None:
        """One classify request: a scripted failure, or one verdict for each part."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.script.attempts += 1
        status = self.script.failures.pop(0) if self.script.failures else self.script.always
        if status != 200:
            self._answer(status, PROBLEM)
            return
        names = part_names(body, self.headers["Content-Type"])
        self.script.accepted.append(names)
        answer = {
            "request_id": f"request-{len(self.script.accepted)}",
            "model": {"name": "stub", "tag": "stub:1", "version": "1"},
            "slices": [verdict(index) for index in range(len(names))],
        }
        self._answer(200, json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


class FlakyService:
    """The server on a free loopback port; use as a context manager."""

    def __init__(self, script: Script, port: int = 0) -> None:
        handler = type("Scripted", (Handler,), {"script": script})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> FlakyService:
        """Start serving."""
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop, so that the port is free again."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=5)
