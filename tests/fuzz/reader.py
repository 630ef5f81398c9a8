"""Reader: runs the atheris target in a process of its own, and keeps what it finds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from tests.enhanced_ct import make_enhanced
from tests.factories import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, head_hu, make_ct_slice
from tests.fuzz.planted import PLANT

ROOT = Path(__file__).resolve().parents[2]
SEEDS = Path(__file__).with_name("seeds")
FINDINGS = ROOT / ".state" / "fuzz"
_ROWS = 64
MAX_INPUT = 4096  # a header; the pixels are the other half's
_EXECUTED = re.compile(r"number_of_executed_units:\s*(\d+)")


@dataclass(frozen=True, slots=True)
class ReaderRun:
    """What a run came to.

    Attributes:
        executions: inputs that were judged.
        findings: files with the inputs that failed.
        output: what libFuzzer and atheris printed, the traceback of a finding included.
    """

    executions: int
    findings: tuple[Path, ...]
    output: str


def _tiny(made: Dataset) -> None:
    """Two frames of 2 x 2: they fit their header, and nothing but the header is left to mutate."""
    made.Rows = made.Columns = 2
    made.PixelData = bytes(2 * 2 * 2 * 2)


def write_seeds(folder: Path) -> int:
    """Small headers in every native encoding, multi-frame ones, and the findings that were kept."""
    pixels = (head_hu(_ROWS).astype("int32") + 1024).astype("<u2")
    fields = {"PixelData": b"\0" * 64}
    bodies = [
        make_ct_slice(transfer_syntax=syntax, pixels=pixels, **fields)
        for syntax in (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED)
    ]
    bodies.append(make_ct_slice(preamble=False, pixels=pixels, **fields))
    bodies += [make_enhanced(2, change=_tiny, undefined_length=flag) for flag in (False, True)]
    bodies += [path.read_bytes() for path in sorted(SEEDS.glob("*.dcm"))]
    small = [body for body in bodies if len(body) <= MAX_INPUT]
    for number, body in enumerate(small):
        (folder / f"{number:03d}").write_bytes(body)
    return len(small)


def run(seconds: float, *, planted: bool = False, findings: Path = FINDINGS) -> ReaderRun:
    """Fuzz for some seconds; with `planted` the target raises on one kind of mutant."""
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    with tempfile.TemporaryDirectory() as corpus:
        write_seeds(Path(corpus))
        command = [sys.executable, "-m", "tests.fuzz.reader_target", corpus]
        command += [f"-max_total_time={max(1, round(seconds))}", f"-max_len={MAX_INPUT}"]
        # libFuzzer ticks at half of its timeout; a tick while atheris writes a finding ends both.
        command += ["-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1", "-seed=1"]
        command += [f"-artifact_prefix={findings}/reader-"]
        environment = {name: value for name, value in os.environ.items() if name != PLANT}
        environment |= {PLANT: "raise"} if planted else {}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    found = tuple(sorted(set(findings.iterdir()) - before))
    if done.returncode != 0 and not found:
        ended = f"the fuzzer ended with {done.returncode}"
        raise RuntimeError(f"{ended}:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
    executed = _EXECUTED.search(done.stderr)
    return ReaderRun(int(executed[1]) if executed else 0, found, done.stdout + done.stderr)
