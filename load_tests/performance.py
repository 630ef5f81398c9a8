"""Performance: docs/performance.md, written from the results that the benchmarks kept as JSON.

.state/bench/engine.json, train.json, serve.json, ... ─> one section each ─> docs/performance.md

`make performance` measures and writes; `python -m load_tests.performance FILE ...` writes only.
Not one figure of the page is typed by hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from load_tests.results import ROOT, Result, ResultError, read, shown

PAGE = ROOT / "docs" / "performance.md"
HEAD = """# Performance

Research use, not a medical device. The weights were trained on synthetic images only; what is
measured here is speed, and how far the engines agree with each other.

This page is written by `make performance`; do not edit it. A figure holds for the machine, the
commit and the day that stand beside it, and ratios travel better than times. Each benchmark can be
run alone by the command in its section.
"""


def page(results: Sequence[Result]) -> str:
    """The whole page; results in the order given."""
    return "\n".join([HEAD, *(section(result) for result in results)])


def section(result: Result) -> str:
    """Title, command, machine, settings, tables and notes of one result."""
    facts = {"command": f"`{result.command}`", **result.machine, **result.settings}
    lines = [f"## {result.title}", ""]
    lines += [f"* {name}: {shown(value)}" for name, value in facts.items()]
    for table in result.tables:
        lines += ["", f"### {table.title}", "", table.markdown()]
    for note in result.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; 1 when a file is not a result, and the page then stays as it was."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, nargs="+", metavar="FILE", help="JSON of a benchmark")
    parser.add_argument("--out", type=Path, default=PAGE)
    given = parser.parse_args(arguments)
    try:
        text = page([read(path) for path in given.results])
    except ResultError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    given.out.write_text(text, encoding="utf-8")
    print(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
