"""Verdicts: the rows of the table, what no row may show, and the table as CSV and as a summary.

Rows hold file names of the corpus, codes and numbers; never a value out of a file.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatch
from pathlib import Path

MAX_MS = 1000.0
MAX_GROWTH_KIB = 64 * 1024
CLASSIFIED = "classified"
UNANSWERED = "unanswered"
# A refusal is a verdict; these say that the service failed (HTTP: every 5xx).
GRPC_FAILURES = frozenset(
    {"CANCELLED", "UNKNOWN", "DEADLINE_EXCEEDED", "ABORTED", "INTERNAL", "UNAVAILABLE"}
    | {"DATA_LOSS"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one transport said of one file.

    Attributes:
        status: HTTP status, or name of the gRPC status.
        code: `classified`, or the stable code of the refusal.
        violations: every code of every slice, sorted.
        slices: verdicts in the answer, at least 1; one a frame of a multi-frame object.
    """

    transport: str
    status: str
    code: str
    violations: tuple[str, ...] = ()
    slices: int = 1

    @property
    def failed(self) -> bool:
        """Whether this is a failure of the service instead of a verdict on the file."""
        server_error = self.status.isdigit() and int(self.status) >= 500
        return server_error or self.status in GRPC_FAILURES or self.code == UNANSWERED


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row: a file, what came back, how long it took and what it cost.

    Attributes:
        ms: from the request to its answer.
        cpu_ms: processor time of all processes of the service.
        growth_kib: peak resident memory of all processes of the service over its start, KiB.
        deaths: processes of the service that ended meanwhile.
    """

    file: str
    answer: Answer
    ms: float
    cpu_ms: float
    growth_kib: int
    deaths: int = 0


def complaints(
    verdicts: Sequence[Verdict], classified: str = "", *, busy: bool = False
) -> list[str]:
    """A sentence for everything that a corpus run must not show.

    Args:
        verdicts: the rows.
        classified: pattern of files that must be classified; that it matches none is a complaint.
        busy: the machine does other things as well: processor time is judged, not the clock.
    """
    if not verdicts:
        return ["no file was sent"]
    found = [sentence for verdict in verdicts for sentence in _broken(verdict, busy)]
    found += _disagreements(verdicts)
    if classified:
        expected = [item for item in verdicts if fnmatch(item.file, classified)]
        found += [] if expected else [f"{classified}: matches no file"]
        found += [
            f"{item.file} ({item.answer.transport}): {item.answer.code}, not classified"
            for item in expected
            if item.answer.code != CLASSIFIED
        ]
    return found


def _broken(verdict: Verdict, busy: bool) -> list[str]:
    """What is wrong with one row."""
    answer = verdict.answer
    ms, limit = verdict.cpu_ms if busy else verdict.ms, MAX_MS * answer.slices
    checks = (
        (answer.failed, f"answered {answer.status} {answer.code}"),
        (ms > limit, f"took {ms:.0f} ms, the limit is {limit:.0f}"),
        (
            verdict.growth_kib > MAX_GROWTH_KIB,
            f"memory grew by {verdict.growth_kib} KiB, the limit is {MAX_GROWTH_KIB}",
        ),
        (verdict.deaths > 0, f"{verdict.deaths} process(es) of the service ended"),
    )
    return [f"{verdict.file} ({answer.transport}): {text}" for broken, text in checks if broken]


def _disagreements(verdicts: Sequence[Verdict]) -> list[str]:
    """Files on which the transports do not agree."""
    codes: dict[str, set[str]] = {}
    for verdict in verdicts:
        codes.setdefault(verdict.file, set()).add(verdict.answer.code)
    return [
        f"{file}: the transports disagree: {', '.join(sorted(found))}"
        for file, found in codes.items()
        if len(found) > 1
    ]


def write_csv(verdicts: Sequence[Verdict], path: Path) -> None:
    """One line per request."""
    names = [field.name for field in fields(Answer)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["file", *names, "ms", "cpu_ms", "growth_kib", "deaths"])
        for item in verdicts:
            answer = asdict(item.answer) | {"violations": " ".join(item.answer.violations)}
            times = f"{item.ms:.1f}", f"{item.cpu_ms:.0f}"
            numbers = (*times, item.growth_kib, item.deaths)
            table.writerow([item.file, *(answer[name] for name in names), *numbers])


def summary(verdicts: Sequence[Verdict]) -> str:
    """Verdicts by transport, status and code, then the slowest and the costliest request."""
    answers = [item.answer for item in verdicts]
    counts = Counter((answer.transport, answer.status, answer.code) for answer in answers)
    lines = [f"{len({item.file for item in verdicts})} files, {len(verdicts)} requests", ""]
    lines += [
        f"{transport:5} {status:20} {code:24} {count:6}"
        for (transport, status, code), count in sorted(counts.items())
    ]
    by_code = Counter(code for answer in answers for code in answer.violations)
    lines += ["", "reasons and warnings, both transports"]
    lines += [f"      {'':20} {code:24} {count:6}" for code, count in sorted(by_code.items())]
    if verdicts:
        slow = max(verdicts, key=lambda item: item.ms)
        large = max(verdicts, key=lambda item: item.growth_kib)
        lines += ["", f"slowest   {slow.ms:.0f} ms    {slow.file} ({slow.answer.transport})"]
        lines += [f"costliest {large.growth_kib} KiB  {large.file} ({large.answer.transport})"]
    return "\n".join(lines) + "\n"
