"""The HTTP API of the started service, over real sockets."""

from __future__ import annotations

import hashlib
import json
import random
import shlex
import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from deploy import serve
from service.config import Settings
from service.types import LABELS
from tests.e2e.running import ROOT, RunningService
from tests.factories import make_ct_slice, sop_uid

DICOM = {"Content-Type": "application/dicom"}


@pytest.fixture
def client(service: RunningService) -> Iterator[httpx.Client]:
    """A client with a connection of its own."""
    with service.http() as http:
        yield http


def test_one_raw_slice_gets_six_probabilities(client: httpx.Client, sample: bytes) -> None:
    """The first thing that a newcomer does."""
    answer = client.post("/classify", content=sample, headers=DICOM)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    (only,) = answer.json()["slices"]
    assert only["status"] == "classified"
    assert list(only["probabilities"]) == list(LABELS)
    assert all(0 <= value <= 1 for value in only["probabilities"].values())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_of_the_welcome_works(service: RunningService) -> None:
    """The printed command itself; curl asks with `Expect: 100-continue` before such a body."""
    text = serve.welcome(Settings(http_port=service.http_port))
    (command,) = (line for line in text.splitlines() if "curl" in line)
    done = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, timeout=30)
    assert json.loads(done.stdout)["slices"][0]["status"] == "classified"


def test_28_files_come_back_in_their_order(client: httpx.Client, series: list[bytes]) -> None:
    """One multipart request with a whole series, in an order that is not its own."""
    order = random.Random(5).sample(range(len(series)), len(series))
    files = [("files", (f"{seed}.dcm", series[seed], "application/dicom")) for seed in order]
    answer = client.post("/classify", files=files)
    assert answer.status_code == 200
    found = answer.json()["slices"]
    assert [item["index"] for item in found] == list(range(len(series)))
    assert [item["sop_instance_uid"] for item in found] == [sop_uid(seed) for seed in order]
    assert {item["status"] for item in found} == {"classified"}


def test_bad_file_among_good_ones_fails_alone(client: httpx.Client, series: list[bytes]) -> None:
    """The request is answered with 200, the bad file with its own code."""
    bodies = [series[0], b"not DICOM at all" * 50, series[1]]
    answer = client.post("/classify", files=[("files", ("x", body)) for body in bodies])
    assert answer.status_code == 200
    found = answer.json()["slices"]
    assert [item["status"] for item in found] == ["classified", "rejected", "classified"]
    assert found[1]["errors"][0]["code"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_probe_answers_200(client: httpx.Client, path: str) -> None:
    """The three probes of a ready service."""
    assert client.get(path).status_code == 200


def test_manifest_is_published(client: httpx.Client) -> None:
    """/v1/model says what the network is and that it was trained on synthetic images only."""
    manifest = client.get("/v1/model").json()
    assert manifest["labels"] == list(LABELS)
    assert "synthetic" in manifest["notice"]


def test_documentation_is_served(client: httpx.Client) -> None:
    """The OpenAPI document has /classify and the page that shows it loads."""
    assert "/classify" in client.get("/openapi.json").json()["paths"]
    assert client.get("/docs").status_code == 200


def counted(client: httpx.Client, *labels: str) -> float:
    """Sum of `ich_requests_total` over the series that hold all the given label texts."""
    lines = client.get("/metrics").text.splitlines()
    rows = [line for line in lines if line.startswith("ich_requests_total{")]
    return sum(float(row.rpartition(" ")[2]) for row in rows if all(text in row for text in labels))


def test_unknown_paths_share_one_label(client: httpx.Client) -> None:
    """A path can carry a UID: it is answered 404 and becomes no label value."""
    before = counted(client, 'route="unmatched"')
    secrets = [hashlib.sha256(bytes([n])).hexdigest() for n in range(5)]
    answers = [client.get(f"/studies/{secret}") for secret in secrets]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert counted(client, 'route="unmatched"') - before == 5
    exposition = client.get("/metrics").text
    assert not any(secret in exposition for secret in secrets)


def test_a_success_is_counted_once(client: httpx.Client, sample: bytes) -> None:
    """Two calls more are two requests more, and two slices."""
    before = counted(client, 'route="/classify"', 'transport="http"', 'outcome="ok"')
    for _ in range(2):
        client.post("/classify", content=sample, headers=DICOM)
    after = counted(client, 'route="/classify"', 'transport="http"', 'outcome="ok"')
    assert after - before == 2


def hostile_bodies() -> list[bytes]:
    """Truncations, bit flips and noise, the same in every run."""
    rng = random.Random(20)
    good = make_ct_slice()
    bodies = [good[: rng.randrange(1, len(good))] for _ in range(20)]
    for _ in range(40):
        broken = bytearray(good)
        for _ in range(8):
            broken[rng.randrange(2000)] ^= 1 << rng.randrange(8)
        bodies.append(bytes(broken))
    return [
        *bodies,
        *(rng.randbytes(rng.randrange(1, 4000)) for _ in range(20)),
        bytes(132) + b"DICM",
    ]


def test_hostile_bytes_never_give_a_5xx(client: httpx.Client, sample: bytes) -> None:
    """Every broken object gets an answer below 500, and the next good one is classified."""
    statuses = {
        client.post("/classify", content=body, headers=DICOM).status_code
        for body in hostile_bodies()
    }
    assert max(statuses) < 500
    assert 400 in statuses
    assert client.post("/classify", content=sample, headers=DICOM).status_code == 200
