"""Orthanc: the real archive with ich.lua against a service that fails first, is away, or says no.

storescu ─> Orthanc ─> ich.lua ─> FlakyService (real sockets) ─> metadata IchServe
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.deploy.archive import (
    NEEDS_ORTHANC,
    Archive,
    Launch,
    eventually,
    free_port,
    series_of,
)
from tests.deploy.flaky_service import FlakyService, Script

pytestmark = NEEDS_ORTHANC

HEARTBEAT = (1, 11, 1)  # the first Orthanc that calls OnHeartBeat


def nudge(archive: Archive, folder: Path) -> Callable[[], None]:
    """What makes an old Orthanc try again: one more (non-CT) instance; new ones need nothing."""
    calls = 0

    def once() -> None:
        nonlocal calls
        calls += 1
        if archive.version() < HEARTBEAT:
            archive.store(folder / f"nudge{calls}", series_of(1, number=100 + calls, Modality="OT"))

    return once


def settled(archive: Archive, series: str, poke: Callable[[], None]) -> object:
    """Poke until the answer is there."""

    def look() -> object:
        answer = archive.metadata(series)
        if answer is None:
            poke()
        return answer

    return eventually(look, 30, "the answer is in the metadata")


def test_answer_is_kept_in_slice_order_with_a_summary(launch: Launch, tmp_path: Path) -> None:
    """Five slices in requests of two: every verdict is kept, in order, with the series' summary."""
    script = Script()
    with FlakyService(script) as service:
        archive = launch(service.url, slices=2)
        archive.store(tmp_path / "in", list(reversed(series_of(5))))
        (series,) = archive.series()
        answer = settled(archive, series, lambda: None)
    assert isinstance(answer, dict)
    assert [len(names) for names in script.accepted] == [2, 2, 1]
    sent = [name for names in script.accepted for name in names]
    assert [kept["instance"] for kept in answer["slices"]] == sent
    numbers = [archive.server.read(f"/instances/{name}/content/0020-0013") for name in sent]
    assert [int((number or b"").strip(b" \0")) for number in numbers] == [1, 2, 3, 4, 5]
    assert [kept["probabilities"][0] for kept in answer["slices"]] == [0, 0.1, 0, 0.1, 0]
    assert answer["slices"][0]["warnings"] == ["odd_spacing"]
    assert answer["status"] == "classified"
    assert answer["counts"] == {"classified": 5, "skipped": 0, "rejected": 0}
    assert answer["findings"] == ["subdural"]
    assert answer["highest"] == [0.1] * 6
    assert answer["requests"] == ["request-1", "request-2", "request-3"]
    assert answer["model"]["tag"] == "stub:1"
    assert archive.metadata(series, "IchServePending") is None


def test_two_failures_are_retried(launch: Launch, tmp_path: Path) -> None:
    """503 twice: the series is sent a third time, in ever smaller requests, and answered."""
    script = Script(failures=[503, 503])
    with FlakyService(script) as service:
        archive = launch(service.url, slices=8)
        archive.store(tmp_path / "in", series_of(3))
        (series,) = archive.series()
        eventually(lambda: script.attempts >= 1, 15, "the first attempt")
        answer = settled(archive, series, nudge(archive, tmp_path))
    assert script.attempts == 4
    assert [len(names) for names in script.accepted] == [2, 1]
    assert isinstance(answer, dict)
    assert answer["counts"]["classified"] == 3


def test_series_survives_a_kill_while_the_service_is_away(launch: Launch, tmp_path: Path) -> None:
    """No service, then Orthanc killed: after its restart the series is still classified."""
    port = free_port()
    archive = launch(f"http://127.0.0.1:{port}")
    archive.store(tmp_path / "in", series_of(3))
    (series,) = archive.series()
    eventually(lambda: archive.metadata(series, "IchServePending"), 15, "the series is pending")
    archive.stop(kill=True)
    with FlakyService(Script(), port):
        archive.start()
        answer = settled(archive, series, nudge(archive, tmp_path))
    assert isinstance(answer, dict)
    assert answer["status"] == "classified"


def test_screenshot_in_a_ct_series_and_other_modalities_are_not_sent(
    launch: Launch, tmp_path: Path
) -> None:
    """Secondary capture with Modality CT and an SR-like series never reach the service."""
    script = Script()
    secondary = "1.2.840.10008.5.1.4.1.1.7"
    with FlakyService(script) as service:
        archive = launch(service.url)
        archive.store(tmp_path / "sc", series_of(1, number=2, SOPClassUID=secondary))
        archive.store(tmp_path / "sr", series_of(1, number=3, Modality="SR"))
        archive.store(tmp_path / "ct", series_of(3))
        eventually(lambda: script.accepted, 15, "the CT series is sent")
        quiet = "the secondary capture is settled"
        ids = archive.series()
        eventually(
            lambda: not any(archive.metadata(one, "IchServePending") for one in ids), 15, quiet
        )
    assert [len(names) for names in script.accepted] == [3]
    assert sum(archive.metadata(one) is not None for one in ids) == 1


def test_steady_refusal_ends_as_refused(launch: Launch, tmp_path: Path) -> None:
    """A ready service that answers 422 each time is not asked for ever: the series says refused."""
    script = Script(always=422)
    with FlakyService(script) as service:
        archive = launch(service.url, refusals=2)
        archive.store(tmp_path / "in", series_of(3))
        (series,) = archive.series()
        answer = settled(archive, series, nudge(archive, tmp_path))
    assert isinstance(answer, dict)
    assert answer["status"] == "refused"
    assert answer["counts"] == {"classified": 0, "skipped": 0, "rejected": 3}
    assert script.attempts == 2
