"""Report: the results as tables for people and as data for a file."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from load_tests.serve_bench.launched import DECODE, ROOT, WORKER
from load_tests.serve_bench.measure import CLIENT
from load_tests.serve_bench.rounds import Result, Row

HEAD = (
    "load", "callers", "slices/s", "served/raw", "p50 ms", "p99 ms",
    "worker ms", "decode ms", "client ms", "failed",
)  # fmt: skip


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals, or a dash for what was not measured."""
    return "-" if value is None else f"{value:.{digits}f}"


def table(rows: Sequence[Row]) -> str:
    """One markdown row for each load and concurrency; the ms of a process are CPU per slice."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for row in rows:
        spent = [number(row.cpu_ms_per_slice.get(role), 2) for role in (WORKER, DECODE, CLIENT)]
        cells = (
            row.load,
            str(row.callers),
            number(row.slices_per_s),
            number(row.served_over_raw, 3),
            number(row.p50_ms, 2),
            number(row.p99_ms, 2),
            *spent,
            str(row.failures),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def text(result: Result) -> str:
    """Everything found of one engine."""
    raw, queue = result.raw, result.poisson
    lines = [
        f"## engine: {result.engine}",
        "",
        f"Raw, in the worker: {raw.slices_per_s:.1f} slices/s at batch {raw.batch}; "
        f"a lone slice {raw.lone_ms:.2f} ms.",
        "",
        table(result.rows),
        "",
        f"Added to a lone request over its forward, p50: {number(result.added_p50_ms, 2)} ms.",
        f"Idle CPU after the start: {100 * result.idle_share:.2f} % of a core.",
        f"Memory, RSS/PSS in MiB: {memory(result.memory_mib)}.",
    ]
    if queue is not None:
        p50 = ratio(queue.p50_ms, queue.ideal_p50_ms)
        p99 = ratio(queue.p99_ms, queue.ideal_p99_ms)
        lines.append(
            f"Poisson at {queue.rate:.1f}/s ({queue.requests} requests, {queue.failures} failed): "
            f"p50 {number(queue.p50_ms)} ms ({p50} of the simulated queue), "
            f"p99 {number(queue.p99_ms)} ms ({p99})."
        )
    if result.profile:
        lines += ["", "```", result.profile.strip(), "```"]
    return "\n".join(lines)


def ratio(found: float | None, ideal: float | None) -> str:
    """The one over the other, as `1.3x`."""
    return "-" if not found or not ideal else f"{found / ideal:.2f}x"


def memory(by_role: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """`role RSS/PSS`, one for each process."""
    each = [(role, pair) for role, pairs in by_role.items() for pair in pairs]
    return ", ".join(f"{role} {rss:.0f}/{pss:.0f}" for role, (rss, pss) in each)


def circumstances() -> dict[str, Any]:
    """Hardware and commit: without them a figure means nothing."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "accelerators": _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": _output("git", "rev-parse", "HEAD"),
        "changed": bool(_output("git", "status", "--porcelain", "--untracked-files=no")),
        "load_average": os.getloadavg()[0],
    }


def data(results: Sequence[Result], found: Mapping[str, Any]) -> dict[str, Any]:
    """Results and circumstances, fit for JSON."""
    return {"circumstances": dict(found), "results": [asdict(result) for result in results]}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _output(*command: str) -> str:
    """What a command prints, or nothing where it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
