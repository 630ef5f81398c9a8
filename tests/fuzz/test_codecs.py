"""Mutants of every transfer syntax through real decode processes, and the planted faults."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from service.dicom.decode import decode_slice
from service.dicom.limits import Caps
from service.dicom.reader import read
from service.dicom.transfer_syntax import ACCEPTED
from service.types import Action
from tests.fuzz.codecs import fuzz, seed_of, table
from tests.fuzz.mutate import mutant
from tests.fuzz.planted import FAULTS

RLE = "1.2.840.10008.1.2.5"


async def test_short_run_finds_nothing(tmp_path: Path) -> None:
    """Some mutants of every accepted syntax: each is decoded or refused, no process is lost."""
    tallies = await fuzz(0.0, least=10, findings=tmp_path)
    assert [tally.syntax for tally in tallies] == list(ACCEPTED)
    assert {path for tally in tallies for path in tally.findings} == set(), table(tallies)
    counts = sum((tally.counts for tally in tallies), tallies[0].counts.__class__())
    assert set(counts) == {"decoded", "refused"}
    assert all(tally.counts.total() >= 10 for tally in tallies)


@pytest.mark.parametrize("fault", FAULTS)
async def test_planted_fault_is_found(fault: str, tmp_path: Path) -> None:
    """A process that crashes, hangs or raises on one input in four is seen, and its input kept."""
    # Only the endless loop has to run into its deadline; a busy machine must not.
    hang_s = 1.5 if fault == "hang" else 60.0
    (tally,) = await fuzz(
        0.0, planted=fault, least=8, syntaxes=[RLE], hang_s=hang_s, findings=tmp_path
    )
    expected = "hung" if fault == "hang" else "failed"
    assert tally.counts[expected] >= 1
    assert set(tally.findings) == set(tmp_path.iterdir())
    assert all(path.name.startswith(expected) for path in tally.findings)


@pytest.mark.parametrize("syntax", ACCEPTED)
def test_mutants_reach_the_pixels(syntax: str) -> None:
    """The seed itself is well; its mutants differ from it, and most can be read to their end.

    A mutator that only breaks files would never reach a decoder.
    """
    pieces, rng = seed_of(syntax), random.Random(5)
    whole = pieces.file(pieces.stream, random.Random(3))
    blocking = [
        item.code
        for item in decode_slice(whole).violations
        if item.action in (Action.REJECT, Action.SKIP)
    ]
    assert "corrupt" not in blocking
    assert "pixel_corrupt" not in blocking
    mutants = [mutant(pieces, rng) for _ in range(40)]
    assert len(set(mutants)) > 30
    assert whole not in mutants
    readable = [body for body in mutants if not read(body, Caps()).faults]
    assert len(readable) > (0 if ACCEPTED[syntax].deflated else 15)


def test_mutants_are_the_same_for_the_same_seed() -> None:
    """A finding can be made again from the seed of its run."""
    pieces = seed_of(RLE)
    first, second = (
        [mutant(pieces, rng) for _ in range(20)] for rng in (random.Random(1), random.Random(1))
    )
    assert first == second
