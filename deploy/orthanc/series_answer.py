"""Series answer: reads one CT series from Orthanc, has it classified, builds what to keep.

Orthanc ─> instances that are CT images ─> chunks ─> POST /classify ─> slices + summary

The same answer as ich.lua writes, with one gain: here the status code of a refusal is known, so a
series that will never be scored is told apart from a service that is busy.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LABELS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
# PS3.6 A: CT, Enhanced CT, Legacy Converted Enhanced CT. Screenshots and reports are none of these.
CT_CLASSES = frozenset("1.2.840.10008.5.1.4.1.1.2" + end for end in ("", ".1", ".2"))
BYTES_PER_REQUEST = 48 * 1024 * 1024
TIMEOUT_S = 60.0  # above the service's own deadline
TRANSIENT = frozenset((408, 429, 500, 502, 503, 504))


class NoAnswer(Exception):
    """The other side was away, busy or broken: try again later."""


class Refused(Exception):
    """The service understood the series and will not score it; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Server:
    """One HTTP server, by base URL."""

    url: str
    user: str = ""
    password: str = ""

    def request(
        self, method: str, path: str, body: bytes | None = None, content_type: str = ""
    ) -> tuple[int, bytes]:
        """Status and body of one exchange; raises NoAnswer when there is none."""
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": content_type} if content_type else {}
        if self.user:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        try:
            connection.request(method, parts.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(parts.netloc) from error
        finally:
            connection.close()

    def read(self, path: str) -> bytes | None:
        """Body of a GET, None when the resource is gone; raises NoAnswer for any other status."""
        status, body = self.request("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise NoAnswer(f"status {status}")
        return body


def ct_instances(orthanc: Server, series: str) -> list[str]:
    """Orthanc ids of the CT images of a series, by instance number; empty when it is gone."""
    listing = json.loads(orthanc.read(f"/series/{series}/instances") or b"[]")
    keyed = []
    for instance in listing:
        sop_class = orthanc.read(f"/instances/{instance['ID']}/metadata/SopClassUid")
        if (sop_class or b"").decode() in CT_CLASSES:
            number = str(instance["MainDicomTags"].get("InstanceNumber", "")).strip()
            keyed.append((int(number) if number.lstrip("-").isdigit() else 0, instance["ID"]))
    return [instance for _, instance in sorted(keyed)]


def multipart(files: Sequence[tuple[str, bytes]]) -> tuple[bytes, str]:
    """A multipart/form-data body of (name, bytes) parts and its content type."""
    boundary = "ich-" + secrets.token_hex(16)
    body = bytearray()
    for name, content in files:
        body += f"--{boundary}\r\nContent-Type: application/dicom\r\n".encode()
        body += f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        body += content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return bytes(body), f"multipart/form-data; boundary={boundary}"


def chunks(
    orthanc: Server, instances: Sequence[str], most: int
) -> Iterator[list[tuple[str, bytes]]]:
    """Files in groups that one request may carry; one group is in memory at a time."""
    group: list[tuple[str, bytes]] = []
    size = 0
    for instance in instances:
        content = orthanc.read(f"/instances/{instance}/file")
        if content is None:
            raise NoAnswer("an instance was deleted meanwhile")
        if group and (len(group) == most or size + len(content) > BYTES_PER_REQUEST):
            yield group
            group, size = [], 0
        group.append((instance, content))
        size += len(content)
    if group:
        yield group


def classify(service: Server, files: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    """The service's answer for one group; raises NoAnswer or Refused."""
    body, content_type = multipart(files)
    status, raw = service.request("POST", "/classify", body, content_type)
    if status in TRANSIENT:
        raise NoAnswer(f"status {status}")
    try:
        answer = json.loads(raw)
    except ValueError as error:
        raise NoAnswer("not JSON") from error
    if status != 200:
        raise Refused(str(answer.get("code", status)))
    # A multi-frame file has a verdict for each of its frames, all with the index of the file.
    if {verdict["index"] for verdict in answer.get("slices", ())} != set(range(len(files))):
        raise NoAnswer("incomplete answer")
    return dict(answer)


def kept_slice(instance: str, verdict: dict[str, Any]) -> dict[str, Any]:
    """The part of one slice's verdict that is worth a place in the archive."""
    kept: dict[str, Any] = {"instance": instance, "status": verdict["status"]}
    if verdict.get("frame") is not None:
        kept["frame"] = verdict["frame"]
    kept["findings"] = verdict.get("findings") or []
    for group in ("errors", "warnings"):
        kept[group] = [violation["code"] for violation in verdict.get(group) or []]
    if verdict.get("probabilities"):
        kept["probabilities"] = [round(verdict["probabilities"][label], 6) for label in LABELS]
    return kept


def summarise(slices: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Series level: slices by status, highest probability by label, union of findings."""
    counts = dict.fromkeys(("classified", "skipped", "rejected"), 0)
    for verdict in slices:
        counts[verdict["status"]] += 1
    scored = [verdict["probabilities"] for verdict in slices if "probabilities" in verdict]
    seen = {label for verdict in slices for label in verdict["findings"]}
    return {
        "counts": counts,
        "highest": [max(column) for column in zip(*scored, strict=True)],
        "findings": [label for label in LABELS if label in seen],
    }


def refused_slice(instance: str, code: str) -> dict[str, Any]:
    """What to keep of a slice whose whole group was refused."""
    return {
        "instance": instance,
        "status": "rejected",
        "findings": [],
        "errors": [code],
        "warnings": [],
    }


def answer_for(orthanc: Server, service: Server, series: str, most: int) -> dict[str, Any] | None:
    """What to keep for a series, None when it holds no CT image.

    Args:
        orthanc: where the series is.
        service: ICH Serve.
        series: Orthanc's id of the series.
        most: largest number of slices in one request.

    Raises:
        NoAnswer: either side was away or busy; nothing may be kept.
    """
    instances = ct_instances(orthanc, series)
    if not instances:
        return None
    kept: dict[str, Any] = {"labels": LABELS, "slices": [], "requests": []}
    for files in chunks(orthanc, instances, most):
        try:
            answer = classify(service, files)
        except Refused as refusal:
            kept["slices"] += [refused_slice(instance, refusal.code) for instance, _ in files]
            continue
        kept["model"] = answer["model"]
        kept["requests"].append(answer["request_id"])
        for verdict in answer["slices"]:
            kept["slices"].append(kept_slice(files[verdict["index"]][0], verdict))
    # A group is refused as a whole only when none of its slices could be scored.
    kept["status"] = "classified" if kept["requests"] else "refused"
    return kept | summarise(kept["slices"])
