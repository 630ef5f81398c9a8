"""How a corpus run measures one file, and what it refuses to run at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from load_tests.corpus import run
from load_tests.corpus.family import Family
from load_tests.corpus.run import files_below, measured
from load_tests.corpus.verdicts import Answer, Verdict
from load_tests.target import LoadTestError

GOOD = Answer("http", "422", "modality", ("modality",))


@pytest.fixture(autouse=True)
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that a test can exceed without waiting long, and no pause."""
    monkeypatch.setattr(run, "MAX_MS", 100.0)
    monkeypatch.setattr(run, "PAUSE_S", 0.0)


def sender(
    *delays_s: float, answer: Answer = GOOD
) -> tuple[Callable[[bytes], Answer], list[bytes]]:
    """A transport that takes so long, one call after the other; and what it was sent."""
    waits, sent = iter(delays_s), list[bytes]()

    def send(body: bytes) -> Answer:
        sent.append(body)
        time.sleep(next(waits))
        return answer

    return send, sent


def measure(send: Callable[[bytes], Answer]) -> Verdict:
    """One file, in a family that is this process alone."""
    return measured("a.dcm", b"body", send, Family(psutil.Process()))


def test_fast_file_is_sent_once() -> None:
    """Name, answer and a time that is that of the call."""
    send, sent = sender(0.01)
    verdict = measure(send)
    assert sent == [b"body"]
    assert (verdict.file, verdict.answer, verdict.deaths) == ("a.dcm", GOOD, 0)
    assert verdict.ms >= 10
    assert verdict.cpu_ms < 10 * verdict.ms


def test_moment_of_slowness_is_forgiven() -> None:
    """Slow once and fast the second time: the fast time counts."""
    send, sent = sender(0.3, 0.0)
    assert measure(send).ms < 250
    assert len(sent) == 2


def test_slow_file_stays_slow() -> None:
    """Slow every time: five tries, and the fastest is over the limit still."""
    send, sent = sender(0.2, 0.15, 0.2, 0.2, 0.2, 0.0)
    assert 100 < measure(send).ms < 200
    assert len(sent) == run.TRIES == 5


def test_failure_is_not_tried_again() -> None:
    """A 5xx counts, however a second try would end."""
    failure = Answer("http", "504", "decode_timeout")
    send, sent = sender(0.2, 0.0, answer=failure)
    assert measure(send).answer == failure
    assert len(sent) == 1


def test_files_below_a_folder(tmp_path: Path) -> None:
    """Every file in the order of its path, without links; an empty folder is an error."""
    with pytest.raises(LoadTestError):
        files_below(tmp_path)
    (tmp_path / "b").mkdir()
    for name in ("b/2", "a", "b/1"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)]
    assert found == ["a", "b/1", "b/2"]
