"""Results: what a benchmark found, as data: printed, kept as JSON, rendered by `performance`.

A row is a flat mapping of column to value; units stand in the names of the columns.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Value = str | int | float | None
Row = Mapping[str, Value]

ROOT = Path(__file__).parents[1]
CPUINFO = Path("/proc/cpuinfo")
# Instruction sets that an engine here can use.
FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


class ResultError(Exception):
    """A file is not the result of a benchmark; the text names the file."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one title."""

    title: str
    rows: Sequence[Row]

    def markdown(self) -> str:
        """The table; columns in the order in which the rows first name them."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        lines = [columns, ["---"] * len(columns)]
        lines += [[shown(row.get(name)) for name in columns] for row in self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True, slots=True)
class Result:
    """One run of a benchmark."""

    title: str
    command: str  # what a reader types to get it
    tables: Sequence[Table]
    settings: Mapping[str, Value] = field(default_factory=dict)
    notes: Sequence[str] = ()
    machine: Mapping[str, Value] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Keep it as JSON; the folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def text(self) -> str:
        """For a terminal: settings, tables, notes."""
        parts = [f"{self.title}: {pairs(self.settings)}"]
        parts += [f"{table.title}\n{table.markdown()}" for table in self.tables]
        return "\n\n".join([*parts, *self.notes])


def read(path: Path) -> Result:
    """Read what `Result.write` wrote.

    Raises:
        ResultError: the file cannot be read, or is something else.
    """
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fields["tables"] = [Table(**table) for table in fields["tables"]]
        return Result(**fields)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ResultError(f"{path.name} is not the result of a benchmark") from error


def shown(value: Value) -> str:
    """A value in a cell: three significant digits, a dash for what is unknown."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def pairs(facts: Mapping[str, Value]) -> str:
    """Facts in one line."""
    return "; ".join(f"{name} {shown(value)}" for name, value in facts.items())


def machine() -> dict[str, Value]:
    """This machine and this checkout: what a figure means nothing without."""
    text = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    told = dict(line.replace("\t", "").split(":", 1) for line in text.splitlines() if ":" in line)
    flags = set(told.get("flags", "").split())
    return {
        "processor": told.get("model name", platform.machine()).strip(),
        "cores": len(os.sched_getaffinity(0)),
        "flags": " ".join(flag for flag in FLAGS if flag in flags) or "none of ours",
        "load before": round(os.getloadavg()[0], 2),  # over the cores: the machine was busy
        "python": platform.python_version(),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def commit() -> str:
    """Short hash of the checkout, with `+changes` where files differ; `unknown` without git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+changes" if _git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()
