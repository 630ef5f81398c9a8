"""Bridge: polls an Orthanc for stable CT series, classifies them and writes the answer back.

The second way beside ich.lua: a process of its own that needs nothing but the standard library
and loses nothing. Orthanc before 1.11.1 has no Lua heartbeat, so there it is the better way.

GET /changes?since=cursor ─> waiting ─> series_answer ─> PUT metadata IchServe ─> forgotten
                                └── no answer, 408, 429, 5xx: again later, pause doubling

The cursor and the waiting list are one file, replaced in one step before the next poll: after a
kill the same series may be classified twice, never zero times.

    ORTHANC_PASSWORD=... python -m deploy.orthanc.bridge --orthanc http://127.0.0.1:8042
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.orthanc.series_answer import NoAnswer, Server, answer_for

CHANGES_PER_POLL = 100
LONGEST_PAUSE_S = 300.0

_log = logging.getLogger("bridge")


@dataclass(slots=True)
class State:
    """What has to survive a restart: the change cursor and, by series, attempts and due time."""

    cursor: int = 0
    waiting: dict[str, tuple[int, float]] = field(default_factory=dict)


def load(path: Path, orthanc: Server, from_now: bool) -> State:
    """The state of an earlier run, else one that starts at Orthanc's first or newest change."""
    if not path.exists():
        newest = json.loads(orthanc.read("/changes?last") or b"{}") if from_now else {}
        return State(newest.get("Last", 0))
    raw = json.loads(path.read_text(encoding="utf-8"))
    return State(raw["cursor"], {series: (n, due) for series, (n, due) in raw["waiting"].items()})


def save(path: Path, state: State) -> None:
    """Replace the state file in one step: a kill leaves the old one or the new one."""
    draft = path.with_name(path.name + ".new")
    content = json.dumps({"cursor": state.cursor, "waiting": state.waiting})
    with draft.open("w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def collect(orthanc: Server, state: State, now: float) -> bool:
    """Put every series that became stable since the cursor on the list; True when none is left."""
    raw = orthanc.read(f"/changes?since={state.cursor}&limit={CHANGES_PER_POLL}")
    page = json.loads(raw or b"{}")
    for change in page.get("Changes", []):
        if change["ChangeType"] == "StableSeries":
            state.waiting[change["ID"]] = (0, now)
    state.cursor = page.get("Last", state.cursor)
    return bool(page.get("Done", True))


def is_ct(orthanc: Server, series: str) -> bool:
    """Whether the series still exists and says CT."""
    raw = orthanc.read(f"/series/{series}")
    return raw is not None and json.loads(raw)["MainDicomTags"].get("Modality") == "CT"


def settle(orthanc: Server, service: Server, series: str, most: int) -> None:
    """Classify one series and keep its answer in Orthanc; raises NoAnswer."""
    answer = answer_for(orthanc, service, series, most) if is_ct(orthanc, series) else None
    if answer is None:
        return
    body = json.dumps(answer, separators=(",", ":")).encode()
    status, _ = orthanc.request("PUT", f"/series/{series}/metadata/IchServe", body, "text/plain")
    if status not in (200, 404):  # 404: the series was deleted meanwhile
        raise NoAnswer(f"status {status}")


def work_off(
    orthanc: Server, service: Server, state: State, options: argparse.Namespace
) -> tuple[int, int]:
    """Try every series that is due; returns how many were settled and how many wait again."""
    settled = postponed = 0
    for series, (attempts, due) in list(state.waiting.items()):
        if due > time.time():
            continue
        try:
            # No answer may have been the deadline of a slow machine: ask for half as much.
            settle(orthanc, service, series, max(options.slices >> attempts, 1))
        except NoAnswer:
            pause = min(options.retry * 2 ** min(attempts, 10), LONGEST_PAUSE_S)
            state.waiting[series] = (attempts + 1, time.time() + pause)
            postponed += 1
        else:
            del state.waiting[series]
            settled += 1
        save(options.state, state)
    return settled, postponed


def step(orthanc: Server, service: Server, state: State, options: argparse.Namespace) -> None:
    """One poll: new changes onto the list, the list to disk, then the list itself."""
    try:
        while not collect(orthanc, state, time.time()):
            save(options.state, state)
        save(options.state, state)
    except NoAnswer:
        _log.warning("Orthanc does not answer")
        return
    settled, postponed = work_off(orthanc, service, state, options)
    if settled or postponed:
        _log.info("%d series settled, %d postponed", settled, postponed)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Classify the stable CT series of an Orthanc.")
    parser.add_argument("--orthanc", default="http://127.0.0.1:8042")
    parser.add_argument("--service", default="http://127.0.0.1:3000")
    parser.add_argument("--state", type=Path, default=Path("ich-bridge.json"))
    parser.add_argument("--from-now", action="store_true", help="skip what is stored already")
    parser.add_argument("--slices", type=int, default=16, help="most slices in one request")
    parser.add_argument("--retry", type=float, default=5.0, help="first pause after a failure, s")
    parser.add_argument("--poll", type=float, default=2.0, help="pause between polls, s")
    return parser.parse_args(arguments)


def main() -> None:
    """Poll until killed; the password comes from ORTHANC_PASSWORD, never from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    options = parse(sys.argv[1:])
    user = os.environ.get("ORTHANC_USER", "ich")
    orthanc = Server(options.orthanc, user, os.environ.get("ORTHANC_PASSWORD", ""))
    service = Server(options.service)
    state = load(options.state, orthanc, options.from_now)
    while True:
        step(orthanc, service, state, options)
        time.sleep(options.poll)


if __name__ == "__main__":
    main()
