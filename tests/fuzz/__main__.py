"""Fuzz run: `python -m tests.fuzz`; what `make fuzz` calls. FUZZ_SECONDS is its time budget.

positive controls (each must be found) ─> reader and gate, coverage-guided ─> mutants per codec

Bad inputs are written to .state/fuzz. Once fixed, a synthetic one becomes tests/fuzz/seeds/*.dcm.
With FUZZ_PLANT=segfault|hang|raise the run itself has that fault, and must fail.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from service.dicom.transfer_syntax import ACCEPTED
from tests.fuzz import codecs, reader
from tests.fuzz.planted import FAULTS, PLANT

CONTROL_S = 20.0


def missed_controls() -> list[str]:
    """Planted faults that were not found: of such a detector a clean run means nothing."""
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        if not reader.run(CONTROL_S, planted=True, findings=Path(folder)).findings:
            missed.append("reader: raise")
        for fault in FAULTS:
            one = list(ACCEPTED)[:1]
            run = codecs.fuzz(
                0.0, planted=fault, least=16, syntaxes=one, hang_s=2.0, findings=Path(folder)
            )
            wanted = "hung" if fault == "hang" else "failed"
            if not any(tally.counts[wanted] for tally in asyncio.run(run)):
                missed.append(f"codecs: {fault}")
    return missed


def say(line: str) -> None:
    """Write a line for the person who waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run everything; 0 only when the controls were found and nothing else was."""
    seconds = float(os.environ.get("FUZZ_SECONDS", "60"))
    planted = os.environ.get(PLANT, "")
    missed = missed_controls()
    for name in missed:
        say(f"a planted fault was not found: {name}")
    read = reader.run(seconds / 2, planted=planted == "raise")
    say(f"reader and gate: {read.executions} executions, {len(read.findings)} findings\n")
    tallies = asyncio.run(codecs.fuzz(seconds / 2, planted=planted, workers=os.cpu_count() or 1))
    say(codecs.table(tallies))
    found = [*read.findings, *(path for tally in tallies for path in tally.findings)]
    for path in found:
        say(f"finding: {path.relative_to(reader.ROOT)}")
    return 1 if found or missed else 0


if __name__ == "__main__":
    sys.exit(main())
