"""Run: every file of a folder through both transports, one request at a time.

sample (warm-up, must be classified) ─> per file: mark ─> send ─> ms, growth, deaths ─> Verdict
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from load_tests.corpus.family import Family
from load_tests.corpus.send import Sender, senders
from load_tests.corpus.verdicts import CLASSIFIED, MAX_MS, Verdict
from load_tests.payloads import SAMPLE
from load_tests.target import LoadTestError, Target

TRIES = 5
PAUSE_S = 0.5  # between tries; a busy moment passes


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, sorted by path; links are not followed.

    Raises:
        LoadTestError: there is no such folder, or no file in it.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    if not found:
        raise LoadTestError("The corpus is no folder with files: set CORPUS to one.")
    return found


def run(folder: Path, target: Target, family: Family, tries: int = TRIES) -> Iterator[Verdict]:
    """Send every file over both transports; a slow one so many times.

    Raises:
        LoadTestError: the folder is empty, or the service does not even classify the sample.
    """
    files = files_below(folder)
    with senders(target) as transports:
        # The first forward pass of a process costs memory and time that no file is to blame for.
        for send in transports:
            if send(SAMPLE.read_bytes()).code != CLASSIFIED:
                raise LoadTestError("The service does not classify the sample slice.")
        family.take_stock()
        for path in files:
            body = path.read_bytes()
            for send in transports:
                yield measured(path.relative_to(folder).as_posix(), body, send, family, tries)


def measured(name: str, body: bytes, send: Sender, family: Family, tries: int = TRIES) -> Verdict:
    """One file with its time and its cost.

    A slow answer is asked for again: a machine that was busy at that moment is not the file's
    fault, while a slow file is slow every time. The fastest time counts, and every cost.
    """
    verdict = _once(name, body, send, family)
    for _ in range(tries - 1):
        if verdict.ms <= MAX_MS * verdict.answer.slices or verdict.answer.failed:
            break
        time.sleep(PAUSE_S)
        again = _once(name, body, send, family)
        verdict = replace(
            again,
            ms=min(verdict.ms, again.ms),
            cpu_ms=min(verdict.cpu_ms, again.cpu_ms),
            growth_kib=max(verdict.growth_kib, again.growth_kib),
            deaths=verdict.deaths + again.deaths,
        )
    return verdict


def _once(name: str, body: bytes, send: Sender, family: Family) -> Verdict:
    """One request."""
    family.mark()
    started = time.perf_counter()
    answer = send(body)
    ms = (time.perf_counter() - started) * 1000
    cpu_ms = family.cpu_ms()
    return Verdict(name, answer, ms, cpu_ms, family.growth_kib(), family.deaths())
