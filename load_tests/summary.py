"""Summary: percentiles, throughput and errors of a run, the table, and the limits it must keep.

samples (latency, ok) ─> Summary ─> table
                             └────> violations(limits): over a limit, or not measured at all
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from load_tests.target import LoadTestError


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: seconds from its planned sending to its answer, and answer since run start."""

    latency_s: float
    ok: bool
    done_s: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of the table; the metrics are None where there was nothing to measure."""

    name: str
    requests: int
    metrics: Mapping[str, float | None]


def percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest-rank percentile: the smallest value that at least `share` of all do not exceed.

    No interpolation: the answer is a latency that really occurred.
    """
    if not values:
        return None
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def summarise(name: str, samples: Sequence[Sample]) -> Summary:
    """Latency percentiles of the answered requests in ms, answers per second, errors.

    Throughput counts up to the last answer: what was in flight at the end of the sending is
    waited for, and dividing by the sending time alone would flatter a slow service.
    """
    seconds = max((sample.done_s for sample in samples), default=0.0)
    answered = [sample.latency_s * 1000 for sample in samples if sample.ok]
    return Summary(
        name,
        len(samples),
        {
            "throughput": len(answered) / seconds if answered else None,
            "p50_ms": percentile(answered, 0.50),
            "p95_ms": percentile(answered, 0.95),
            "p99_ms": percentile(answered, 0.99),
            "errors": float(len(samples) - len(answered)) if samples else None,
        },
    )


def table(summaries: Sequence[Summary]) -> str:
    """The rows as text, one column per metric; a dash where nothing was measured."""
    heads = ("run", "requests", "ok/s", "p50 ms", "p95 ms", "p99 ms", "errors")
    rows: list[tuple[str, ...]] = [heads]
    for summary in summaries:
        cells = [("-" if value is None else f"{value:.1f}") for value in summary.metrics.values()]
        errors = summary.metrics["errors"]
        cells[-1] = "-" if errors is None else f"{errors:.0f}"
        rows.append((summary.name, str(summary.requests), *cells))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *cells in rows:
        numbers = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        lines.append("  ".join((name.ljust(widths[0]), *numbers)))
    return "\n".join(lines)


def violations(summary: Summary, limits: Mapping[str, float]) -> list[str]:
    """Sentences for every limit that is broken.

    `throughput` is a lower limit, everything else an upper one. A metric that was not measured,
    or that does not exist, breaks its limit: a run that emits nothing must never pass.
    """
    found = []
    for metric, limit in limits.items():
        value = summary.metrics.get(metric)
        if value is None:
            found.append(f"{summary.name}: {metric} was not measured")
        elif value < limit if metric == "throughput" else value > limit:
            found.append(f"{summary.name}: {metric} is {value:.1f}, the limit is {limit:.1f}")
    return found


def read_limits(path: Path) -> dict[str, dict[str, float]]:
    """Limits by run name from a TOML file.

    Raises:
        LoadTestError: the file cannot be read.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise LoadTestError("The file with the limits cannot be read.") from error
    return {
        name: {metric: float(limit) for metric, limit in one.items()} for name, one in raw.items()
    }
