"""Report: the results as tables for people and as data for a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from load_tests.results import Result as Kept
from load_tests.results import Table, Value
from load_tests.serve_bench.launched import DECODE, WORKER
from load_tests.serve_bench.measure import CLIENT
from load_tests.serve_bench.rounds import Result, Row

HEAD = (
    "load", "callers", "slices/s", "served/raw", "cores busy", "p50 ms", "p99 ms",
    "worker ms", "decode ms", "client ms", "failed",
)  # fmt: skip


NOTES = (
    "Raw is the same engine called back to back in the same worker; the callers run on the same "
    "cores. The ms of a process are CPU time a slice; `cores busy` is the sum of them over what "
    "the cores could give: near 1 a ratio is lost to the work beside the engine, below it to "
    "waiting. `noop` is an engine that answers at once: what the layers around it can carry.",
    "Poisson: requests sent at random times at 70 % of the capacity, latency counted from the time "
    "at which each was due, over a simulation of the same queue with the measured forwards.",
)


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
            number(row.cores_busy, 2),
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
    over = _over(found, ideal)
    return "-" if over is None else f"{over:.2f}x"


def memory(by_role: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """`role RSS/PSS`, one for each process."""
    each = [(role, pair) for role, pairs in by_role.items() for pair in pairs]
    return ", ".join(f"{role} {rss:.0f}/{pss:.0f}" for role, (rss, pss) in each)


def kept(
    results: Sequence[Result], about: Mapping[str, Value], settings: Mapping[str, Value]
) -> Kept:
    """The same as data: for each engine a table of the loads, and one row of all the rest."""
    tables = [
        Table(f"engine: {each.engine}", [_cells(row) for row in each.rows]) for each in results
    ]
    tables.append(Table("Of each engine", [_facts(each) for each in results]))
    return Kept("Serving", "make bench-serve", tables, settings, NOTES, about)


def _cells(row: Row) -> dict[str, Value]:
    spent = [row.cpu_ms_per_slice.get(role) for role in (WORKER, DECODE, CLIENT)]
    values = (
        row.load, row.callers, row.slices_per_s, row.served_over_raw, row.cores_busy,
        row.p50_ms, row.p99_ms,
        *spent, row.failures,
    )  # fmt: skip
    return dict(zip(HEAD, values, strict=True))


def _facts(result: Result) -> dict[str, Value]:
    queue = result.poisson
    return {
        "engine": result.engine,
        "raw slices/s": result.raw.slices_per_s,
        "batch": result.raw.batch,
        "forward of one slice ms": result.raw.lone_ms,
        "added p50 ms": result.added_p50_ms,
        "idle CPU, % of a core": 100 * result.idle_share,
        "Poisson /s": None if queue is None else queue.rate,
        "p50 over simulation": None if queue is None else _over(queue.p50_ms, queue.ideal_p50_ms),
        "p99 over simulation": None if queue is None else _over(queue.p99_ms, queue.ideal_p99_ms),
        "memory RSS/PSS MiB": memory(result.memory_mib),
    }


def _over(found: float | None, ideal: float | None) -> float | None:
    return found / ideal if found and ideal else None
