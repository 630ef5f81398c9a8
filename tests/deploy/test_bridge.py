"""Bridge: the poller beside ich.lua, from its arithmetic to the real archive."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.orthanc import bridge
from deploy.orthanc.bridge import State
from deploy.orthanc.series_answer import NoAnswer, Refused, Server, classify, summarise
from tests.deploy.archive import (
    NEEDS_ORTHANC,
    PASSWORD,
    ROOT,
    Archive,
    Launch,
    eventually,
    free_port,
    series_of,
)
from tests.deploy.flaky_service import FlakyService, Script

FILE = bytes(128) + b"DICM" + b"--ich-\r\n" * 3


@contextmanager
def running(archive: Archive, service: str, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The bridge as a process of its own, polling five times a second."""
    command = [sys.executable, "-m", "deploy.orthanc.bridge", "--orthanc", archive.server.url]
    command += ["--service", service, "--state", str(state), "--retry", "0.2", "--poll", "0.2"]
    environment = os.environ | {"ORTHANC_PASSWORD": PASSWORD}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)


def test_state_survives_a_round_trip(tmp_path: Path) -> None:
    """Cursor and waiting list come back as they were written; a missing file is a fresh start."""
    path, nobody = tmp_path / "state.json", Server("http://127.0.0.1:9")
    state = State(41, {"a": (2, 7.5)})
    assert bridge.load(path, nobody, from_now=False) == State(0, {})
    bridge.save(path, state)
    assert bridge.load(path, nobody, from_now=False) == state


def test_summary_takes_the_highest_of_each_label() -> None:
    """Two scored slices and a rejected one: columnwise maximum, counts, findings in label order."""
    slices: list[dict[str, Any]] = [
        {"status": "classified", "probabilities": [0.1, 0.9], "findings": ["subdural"]},
        {"status": "classified", "probabilities": [0.3, 0.2], "findings": ["epidural"]},
        {"status": "rejected", "findings": []},
    ]
    found = summarise(slices)
    assert found["highest"] == [0.3, 0.9]
    assert found["counts"] == {"classified": 2, "skipped": 0, "rejected": 1}
    assert found["findings"] == ["epidural", "subdural"]


@pytest.mark.parametrize("status", [408, 429, 500, 503, 504])
def test_busy_service_is_no_answer(status: int) -> None:
    """A status that may pass means: again later."""
    with FlakyService(Script(always=status)) as service, pytest.raises(NoAnswer):
        classify(Server(service.url), [("a", FILE)])


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_verdict_of_the_service_is_final(status: int) -> None:
    """A status that cannot pass is a refusal that carries the stable code of the problem."""
    with FlakyService(Script(always=status)) as service:
        with pytest.raises(Refused) as caught:
            classify(Server(service.url), [("a", FILE)])
        assert caught.value.code == "not_assessable"


def test_absent_service_is_no_answer() -> None:
    """A refused connection means: again later."""
    with pytest.raises(NoAnswer):
        classify(Server(f"http://127.0.0.1:{free_port()}"), [("a", FILE)])


def test_parts_arrive_whole_and_in_order() -> None:
    """Pixel data may hold anything, a boundary's first bytes included."""
    script = Script()
    with FlakyService(script) as service:
        answer = classify(Server(service.url), [("first", FILE), ("second", FILE * 2)])
    assert script.accepted == [["first", "second"]]
    assert len(answer["slices"]) == 2


class TestRealArchive:
    """The bridge against the real Orthanc without any Lua of ours."""

    pytestmark = NEEDS_ORTHANC

    def test_two_failures_are_retried(self, launch: Launch, tmp_path: Path) -> None:
        """Two 503 answers, no further event: the pause passes and the answer is kept."""
        script = Script(failures=[503, 503])
        with FlakyService(script) as service:
            archive = launch(service.url, lua=False)
            with running(archive, service.url, tmp_path / "state.json"):
                archive.store(tmp_path / "in", series_of(3))
                (series,) = archive.series()
                answer = eventually(lambda: archive.metadata(series), 60, "the answer is kept")
        assert script.attempts == 3
        assert answer["counts"] == {"classified": 3, "skipped": 0, "rejected": 0}
        assert [kept["probabilities"][5] for kept in answer["slices"]] == [0, 0.1, 0.2]

    def test_kill_loses_no_series(self, launch: Launch, tmp_path: Path) -> None:
        """Killed while the series waits for an absent service, the next bridge settles it."""
        port, state = free_port(), tmp_path / "state.json"
        url = f"http://127.0.0.1:{port}"
        archive = launch(url, lua=False)
        nobody = Server(url)
        with running(archive, url, state):
            archive.store(tmp_path / "in", series_of(2))
            (series,) = archive.series()
            eventually(
                lambda: state.exists() and bridge.load(state, nobody, from_now=False).waiting,
                20,
                "the series is on the list",
            )
        with FlakyService(Script(), port), running(archive, url, state):
            answer = eventually(lambda: archive.metadata(series), 60, "the answer is kept")
        assert answer["status"] == "classified"

    def test_refusal_is_kept_with_its_code(self, launch: Launch, tmp_path: Path) -> None:
        """A 422 is asked once and kept as refused with the code of every slice."""
        script = Script(always=422)
        with FlakyService(script) as service:
            archive = launch(service.url, lua=False)
            with running(archive, service.url, tmp_path / "state.json"):
                archive.store(tmp_path / "in", series_of(2))
                (series,) = archive.series()
                answer = eventually(lambda: archive.metadata(series), 60, "the refusal is kept")
        assert script.attempts == 1
        assert answer["status"] == "refused"
        assert [kept["errors"] for kept in answer["slices"]] == [["not_assessable"]] * 2
