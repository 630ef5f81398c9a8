"""Codecs: mutants of a slice in every accepted transfer syntax through real decode processes.

mutant -> pool -> decoded | refused | failed (death, uncaught exception) | hung
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from service.dicom.limits import MIB, Caps
from service.dicom.pool import DecodePool
from service.dicom.transfer_syntax import ACCEPTED
from service.types import Decoded
from tests.factories import head_hu, make_ct_slice
from tests.fuzz.mutate import Pieces, mutant
from tests.fuzz.planted import in_the_environment
from tests.fuzz.reader import FINDINGS

# Far over the deadline of the service (1 s): a busy machine is no finding.
HANG_S = 5.0
SIDE = 64  # pixels; small, so that most of the time goes into headers and tables
_REFUSALS = frozenset({"pixel_corrupt", "corrupt", "header_limit", "inflate_limit", "pixel_length"})


@dataclass(slots=True)
class Tally:
    """What became of the mutants of one transfer syntax, and the files of the bad ones."""

    syntax: str
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Path] = field(default_factory=list)


def outcome(decoded: Decoded) -> str:
    """`failed`, `hung`, `refused` before or by the decoder, or `decoded`."""
    codes = {item.code for item in decoded.violations}
    if "decoder_failed" in codes:
        return "failed"
    if "decode_timeout" in codes:
        return "hung"
    return "refused" if codes & _REFUSALS else "decoded"


def seed_of(syntax: str) -> Pieces:
    """A small valid slice of that syntax."""
    pixels = (head_hu(SIDE).astype("int32") + 1024).astype("<u2")
    return Pieces.of(make_ct_slice(transfer_syntax=syntax, pixels=pixels))


async def fuzz(
    seconds: float,
    *,
    planted: str = "",
    seed: int = 0,
    least: int = 8,
    workers: int = 2,
    syntaxes: Sequence[str] = tuple(ACCEPTED),
    hang_s: float = HANG_S,
    findings: Path = FINDINGS,
) -> list[Tally]:
    """Send mutants of each syntax in turn until the time is over.

    Args:
        seconds: time budget; each syntax gets at least `least` mutants whatever it takes.
        planted: a fault of `planted.FAULTS` for the decode processes, or none.
        seed: of the mutations; the same seed gives the same mutants.
        least: fewest mutants of a syntax.
        workers: decode processes.
        syntaxes: transfer syntaxes by UID.
        hang_s: a decode that takes longer is a finding.
        findings: folder for the bad inputs.
    """
    rng = random.Random(seed)
    tallies = [Tally(uid) for uid in syntaxes]
    seeds = {uid: seed_of(uid) for uid in syntaxes}
    with in_the_environment(planted):
        pool = DecodePool(workers, hang_s, 1024 * MIB, Caps())
        await pool.start()
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end or tallies[-1].counts.total() < least:
                for tally in tallies:
                    bodies = [mutant(seeds[tally.syntax], rng) for _ in range(workers)]
                    await _send(pool, bodies, tally, findings)
        finally:
            await pool.stop()
    return tallies


async def _send(pool: DecodePool, bodies: list[bytes], tally: Tally, findings: Path) -> None:
    """One round: as many mutants at once as there are processes."""
    answers = await asyncio.gather(*(pool.decode(body, 600.0) for body in bodies))
    for body, answer in zip(bodies, answers, strict=True):
        found = outcome(answer)
        tally.counts[found] += 1
        if found in ("failed", "hung"):
            tally.findings.append(keep(body, f"{found}-{tally.syntax}", findings))


def keep(body: bytes, what: str, folder: Path) -> Path:
    """Write a bad input under a name that says what happened, and nothing of the input."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{what}-{hashlib.sha256(body).hexdigest()[:12]}.dcm"
    path.write_bytes(body)
    return path


def table(tallies: Sequence[Tally]) -> str:
    """One line per transfer syntax."""
    heads = ("decoded", "refused", "failed", "hung")
    lines = [f"{'transfer syntax':46}" + "".join(f"{head:>9}" for head in heads)]
    lines += [
        f"{ACCEPTED[tally.syntax].name:46.46}"
        + "".join(f"{tally.counts[head]:9}" for head in heads)
        for tally in tallies
    ]
    return "\n".join(lines)
