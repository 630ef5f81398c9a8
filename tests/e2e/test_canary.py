"""A canary in everything that a client can send never comes out: logs, metrics, error answers.

What goes back to its client by design: a valid UID and, beside a result, the file name. Neither
appears in logs or metrics.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from urllib.parse import quote

import grpc
import httpx
import pytest
from pydicom.datadict import DicomDictionary, dictionary_has_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from service.dicom.header import TAGS
from service.rpc import ich_pb2, ich_pb2_grpc
from tests.e2e.running import RunningService
from tests.enhanced_ct import make_enhanced
from tests.factories import DEFLATED, make_ct_slice
from tests.hostile.parts import (
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Parts,
    element,
    head_of,
    split,
    valid,
)

# Not a valid UID, number, date, code string or request id, in two spellings.
CANARY = "Canary^4711~zq"
WORD = "canary4711zq"
VALUE = CANARY.encode()
UID = "2.25.471147114711"  # a valid one
TEXT_VRS = frozenset(b"AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".decode().split())
_NAMES = "User-Agent Referer Cookie Authorization X-Request-ID X-Forwarded-For Traceparent"
HEADERS = dict.fromkeys((*_NAMES.split(), "X-Patient", "Accept-Language"), CANARY)
DICOM = {"Content-Type": "application/dicom"}


def text_elements() -> dict[int, str]:
    """Every text element of the dictionary that may stand in front of the pixels: tag and VR."""
    return {
        tag: entry[0]
        for tag, entry in DicomDictionary.items()
        if entry[0] in TEXT_VRS and 0x00080000 <= tag < PIXEL_DATA and dictionary_has_tag(tag)
    }


def with_texts(tags: Sequence[int]) -> bytes:
    """The valid slice with the canary in these text elements."""
    parts, known = valid(), text_elements()
    for tag in tags:
        parts = parts.put(tag, element(tag, known[tag], VALUE))
    return parts.file()


def private() -> bytes:
    """The valid slice with the canary in private elements, in a sequence, and in its preamble."""
    inner = element(0x00100010, "PN", VALUE)
    sequence = element(0x00400275, "SQ", length=UNDEFINED) + ITEM + inner + ITEM_END + SEQUENCE_END
    parts = valid().put(0x00400275, sequence)
    for tag, vr in ((0x00290010, "LO"), (0x00291001, "UN"), (0x00291002, "LT"), (0x00291003, "OB")):
        parts = parts.put(tag, element(tag, vr, VALUE))
    return VALUE.ljust(128, b"\0") + parts.file()[128:]


def in_functional_groups() -> bytes:
    """A multi-frame object with the canary in the groups of its frames."""

    def change(made: Dataset) -> None:
        shared = made.SharedFunctionalGroupsSequence[0]
        shared.CTXRayDetailsSequence[0][TAGS["KVP"]] = _raw(TAGS["KVP"], "DS")
        for frame in made.PerFrameFunctionalGroupsSequence:
            kind = frame.CTImageFrameTypeSequence[0]
            kind[TAGS["FrameType"]] = _raw(TAGS["FrameType"], "CS")

    return make_enhanced(2, change=change)


def _raw(tag: int, vr: str) -> RawDataElement:
    return RawDataElement(Tag(tag), vr, len(VALUE), VALUE, 0, False, True)


def with_valid_uids() -> bytes:
    """The valid slice whose identifiers are the canary UID."""
    names = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    return make_ct_slice(**{name: f"{UID}.{number}" for number, name in enumerate(names)})


def in_the_file_meta() -> bytes:
    """The canary as transfer syntax, SOP class and application titles of the file meta group."""
    meta = element(0x00020002, "UI", VALUE) + element(0x00020010, "UI", VALUE)
    meta += element(0x00020013, "SH", VALUE) + element(0x00020016, "AE", VALUE)
    return bytes(128) + b"DICM" + meta + valid().data()


@cache
def objects() -> dict[str, bytes]:
    """Objects that carry the canary: classified ones, skipped ones and damaged ones."""
    known = text_elements()
    bodies = {f"in {name}": with_texts([tag]) for name, tag in TAGS.items() if tag in known}
    everywhere = sorted(known)
    halves = everywhere[: len(everywhere) // 2], everywhere[len(everywhere) // 2 :]
    harmless = [tag for tag in everywhere if tag not in TAGS.values()]
    return bodies | {
        "first half of the dictionary": with_texts(halves[0]),
        "second half of the dictionary": with_texts(halves[1]),
        "where it harms nothing": with_texts(harmless),
        "private": private(),
        "functional groups": in_functional_groups(),
        "file meta": in_the_file_meta(),
        "cut": with_texts(everywhere)[:20_000],
        "noise": VALUE * 500,
        "behind the prefix": bytes(128) + b"DICM" + VALUE * 500,
        "deflated": head_of(DEFLATED) + VALUE * 500,
        "pixels": valid().put(PIXEL_DATA, element(PIXEL_DATA, "OW", VALUE * 500)).file(),
        "no preamble": make_ct_slice(preamble=False, Modality=VALUE, PatientName=VALUE),
    }


def spellings() -> list[str]:
    """The canary as it is, and as encodings would write it."""
    plain = [CANARY, quote(CANARY), base64.b64encode(VALUE).decode()[:16], VALUE.hex(), WORD]
    return [text.lower() for text in plain]


def assert_silent(where: str, text: str) -> None:
    """No spelling of the canary is in a text."""
    lowered = text.lower()
    assert not [found for found in spellings() if found in lowered], where


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[httpx.Client]:
    """A client that says the canary in every header."""
    with service.http() as http:
        http.headers.update(HEADERS)
        yield http


def of_answer(answer: httpx.Response) -> str:
    """Headers and body; beside results the file name is the client's own and left out."""
    name = f'"file_name":"{CANARY}.dcm"' if answer.status_code == 200 else ""
    body = answer.text.replace(name, "") if name else answer.text
    return body + repr(dict(answer.headers))


def test_http(service: RunningService, client: httpx.Client) -> None:
    """Raw bodies, forms, queries, paths and broken requests: no answer repeats the canary."""
    url = f"/classify?patient={quote(CANARY)}&{WORD}=1"
    statuses = set()
    for where, body in objects().items():
        raw = client.post(url, content=body, headers=DICOM)
        form = client.post(url, files=[("files", (f"{CANARY}.dcm", body, "application/dicom"))])
        assert_silent(where, of_answer(raw))
        assert_silent(where, of_answer(form))
        statuses |= {raw.status_code, form.status_code}
    assert {200, 400, 415, 422} <= statuses
    broken = [
        client.get(f"/studies/{quote(CANARY)}/{WORD}?q={quote(CANARY)}"),
        client.put(url, content=VALUE),
        client.post(url, content=VALUE, headers={"Content-Type": f"text/{WORD}"}),
        client.post(url, content=VALUE, headers=DICOM | {"Content-Encoding": WORD}),
        client.post(url, content=VALUE, headers=DICOM | {"X-Request-Timeout-Ms": CANARY}),
        client.post(
            url, content=VALUE, headers={"Content-Type": f"multipart/form-data; boundary={WORD}"}
        ),
        client.post(url, files=[(WORD, (CANARY, b"", f"x/{WORD}"))], data={CANARY: CANARY}),
    ]
    for answer in broken:
        assert 400 <= answer.status_code < 500
        assert_silent(str(answer.request.method), of_answer(answer))
    assert_silent("log", service.log.read_text())
    assert_silent("metrics", client.get("/metrics").text)


def test_valid_uids_stay_out_of_log_and_metrics(service: RunningService) -> None:
    """Identifiers go back to the client that sent them, and nowhere else."""
    with service.http() as http:
        answers = [
            http.post("/classify", content=body, headers=DICOM)
            for body in (with_valid_uids(), with_valid_uids()[:-2])
        ]
        metrics = http.get("/metrics").text
    assert [answer.status_code for answer in answers] == [200, 422]
    assert all(UID in answer.text for answer in answers)
    assert UID not in service.log.read_text()
    assert UID not in metrics


def test_grpc(service: RunningService) -> None:
    """Objects, names, ids and metadata: no status, detail or trailing metadata repeats it."""
    metadata = (("x-request-id", CANARY), ("authorization", CANARY), (WORD, CANARY))
    options = [("grpc.enable_http_proxy", 0), ("grpc.primary_user_agent", WORD)]
    failures = 0
    with grpc.insecure_channel(service.target, options=options) as channel:
        stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
        for where, body in objects().items():
            request = ich_pb2.ClassifyRequest(slices=[body], names=[CANARY])
            try:
                answer = stub.Classify(request, metadata=metadata, timeout=30)
            except grpc.RpcError as error:
                failures += 1
                assert_silent(where, f"{error.details()} {error.trailing_metadata()!r}")
            else:
                for item in answer.slices:
                    item.file_name = ""
                assert_silent(where, str(answer))
        unknown = channel.unary_unary(f"/ich.v1.HemorrhageClassifier/{WORD}")
        with suppress(grpc.RpcError):
            unknown(VALUE, metadata=metadata, timeout=30)
    assert 0 < failures < len(objects())
    assert_silent("log", service.log.read_text())
    with service.http() as http:
        assert_silent("metrics", http.get("/metrics").text)


def test_the_detector_sees_a_canary() -> None:
    """Each spelling is found wherever it stands, in any case."""
    for text in (CANARY, quote(CANARY), f"x{WORD.upper()}y", VALUE.hex()):
        with pytest.raises(AssertionError, match="planted"):
            assert_silent("planted", f"before {text} after")


def test_the_objects_carry_it() -> None:
    """Every object holds the canary, and every text element that the service reads is one."""
    assert all(VALUE in body for body in objects().values())
    assert len(text_elements()) > 2000
    read = [name for name, tag in TAGS.items() if tag in text_elements()]
    assert {f"in {name}" for name in read} <= set(objects())
    assert isinstance(split(objects()["private"]), Parts)
