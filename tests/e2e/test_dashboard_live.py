"""Dashboard, live: a real Prometheus scrapes the real service, then every panel shows something."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.archive import eventually
from tests.deploy.test_dashboard import EXPRESSIONS
from tests.e2e.running import RunningService, free_ports
from tests.factories import make_ct_slice

PROGRAM = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="the package prometheus is not installed")

CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: ich-serve
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture
def prometheus(service: RunningService, tmp_path: Path) -> Iterator[httpx.Client]:
    """A Prometheus on a free loopback port that scrapes the service every second."""
    (port,) = free_ports(1)
    config = tmp_path / "prometheus.yml"
    target = service.url.removeprefix("http://")
    config.write_text(CONFIGURATION.format(target=target), encoding="utf-8")
    command = [str(PROGRAM), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen(command, cwd=tmp_path)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
    finally:
        process.kill()
        process.wait(timeout=10)


def values(client: httpx.Client, expression: str) -> list[str]:
    """Current values of an expression.

    A Prometheus that is not there yet, or says 503 while it loads its storage, has none.
    """
    query = expression.replace("$__rate_interval", "1m")
    try:
        response = client.get("/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return []
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []
    answer = response.json()
    assert answer["status"] == "success", answer
    return [entry["value"][1] for entry in answer["data"]["result"]]


def test_every_panel_shows_a_number(service: RunningService, prometheus: httpx.Client) -> None:
    """After one good and one refused slice, scraped before and after, no expression is empty."""
    headers = {"Content-Type": "application/dicom"}
    with service.http() as client:
        client.post("/classify", content=make_ct_slice(), headers=headers)
        client.post("/classify", content=make_ct_slice(Modality="MR"), headers=headers)
        counted = "sum(ich_slices_total)"
        before = eventually(lambda: values(prometheus, counted), 60, "the first scrape")
        assert client.post("/classify", content=make_ct_slice(), headers=headers).status_code == 200
        client.post("/classify", content=make_ct_slice(Modality="MR"), headers=headers)
    eventually(lambda: values(prometheus, counted) not in ([], before), 60, "a later scrape")

    def empty() -> list[str]:
        return [
            expression
            for expression in EXPRESSIONS
            if not [value for value in values(prometheus, expression) if value != "NaN"]
        ]

    eventually(lambda: not empty(), 60, "every panel shows a number")


def test_query_of_an_unknown_metric_is_empty(
    service: RunningService, prometheus: httpx.Client
) -> None:
    """The check can fail: a metric that the service does not have gives no value."""
    eventually(lambda: values(prometheus, "up"), 60, "the first scrape")
    assert values(prometheus, "sum(rate(ich_slice_total[$__rate_interval]))") == []
