"""Services started with unusual settings: a short queue, two workers."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from prometheus_client.mmap_dict import MmapedDict

from tests.e2e.running import RunningService, start

DICOM = {"Content-Type": "application/dicom"}
CALLERS = 12


def post(service: RunningService, body: bytes) -> httpx.Response:
    """One slice over a connection of its own."""
    with service.http(timeout_s=60) as client:
        return client.post("/classify", content=body, headers=DICOM)


def test_full_queue_refuses_with_retry_after(
    new_home: Callable[[str], Path], sample: bytes
) -> None:
    """With one place, of many at once some are refused, each told when to retry; none hangs."""
    with start(new_home("short"), ICH_MAX_QUEUE="1", ICH_MAX_FILES="1") as running:
        running.wait_for("/readyz", 200)
        with ThreadPoolExecutor(CALLERS) as callers:
            answers = list(callers.map(lambda _: post(running, sample), range(CALLERS)))
        refused = [answer for answer in answers if answer.status_code == 503]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert {answer.json()["code"] for answer in refused} == {"queue_full"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert post(running, sample).status_code == 200


def value(text: str, sample: str) -> float:
    """Sum of the samples whose line begins with a name and, if given, labels."""
    rows = re.findall(rf"^{re.escape(sample)}(?:\W.*)? (\S+)$", text, re.M)
    return sum(map(float, rows))


def served_by_each(service: RunningService) -> list[float]:
    """Slices that each worker process has counted in its own file."""
    folder = service.log.parent / "prometheus_multiproc_dir"
    files = [
        MmapedDict.read_all_values_from_file(str(path)) for path in folder.glob("counter_*.db")
    ]
    counts = [sum(row[1] for row in rows if "ich_slices_total" in row[0]) for rows in files]
    return [count for count in counts if count]


def test_two_workers_show_one_sum(new_home: Callable[[str], Path], sample: bytes) -> None:
    """Whichever worker answers /metrics, it shows the calls of both."""
    with start(new_home("two"), BENTOML_CONFIG_OPTIONS="services.ich.workers=2") as running:
        running.wait_for_event("ready", count=2)
        calls = 0
        # Connections fall on the workers very unevenly: as many rounds as it takes.
        while len(served_by_each(running)) < 2 and calls < 20 * CALLERS:
            with ThreadPoolExecutor(CALLERS) as callers:
                answers = list(callers.map(lambda _: post(running, sample), range(CALLERS)))
            assert {answer.status_code for answer in answers} == {200}
            calls += CALLERS
        assert len(served_by_each(running)) == 2
        for _ in range(6):
            with running.http() as client:
                text = client.get("/metrics").text
            assert value(text, 'ich_slices_total{status="classified"}') == calls
            assert value(text, 'ich_stage_duration_seconds_count{stage="total"}') == calls
            assert value(text, "ich_model_info") == 1
            assert value(text, "ich_queue_depth") == 0
        assert running.terminate() == 0
