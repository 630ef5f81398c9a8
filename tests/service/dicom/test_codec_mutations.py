"""Mutated frames through a real decode process: always a verdict, never a death.

The detector must be able to fail: one frame that kills the decoder without its gate is shown to,
and a process killed on purpose is counted.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest

from load_tests import transcode
from service.dicom.codecs.codestream import CodestreamFault
from service.dicom.limits import Caps
from service.dicom.pool import DecodePool
from service.dicom.transfer_syntax import ACCEPTED
from tests.codestreams import BITS, FAMILIES, SIZ, changed, file_of
from tests.factories import RLE, head_hu, make_ct_slice
from tests.service.dicom.test_pool import MIB, codes, pids

MUTANTS, SIDE = 150, 128
DEADLINE_S = 20.0
ALLOWED = {"ok", "pixel_corrupt", "pixel_length", "decode_timeout"}


def small_frame(syntax: str) -> bytes:
    """A head of 128 x 128: square, because other frames are refused before they are decoded."""
    bits = BITS.get(syntax, 12)
    values = (head_hu(SIDE).astype(int) + 1024) >> (12 - bits)
    return transcode.encode(syntax, values.astype("<u2"), bits)


def small_file(syntax: str, frame: bytes) -> bytes:
    """A file around such a frame."""
    slope = str(2 ** (12 - BITS.get(syntax, 12)))
    return file_of(syntax, frame, Rows=SIDE, Columns=SIDE, RescaleSlope=slope)


class Hammer:
    """A pool of one process as large as in service; counts verdicts, and deaths of the process."""

    def __init__(self) -> None:
        self.deaths = 0
        # A corrupt JPEG-LS frame may take seconds: here too it is killed by its deadline.
        self.pool = DecodePool(1, 5.0, 1024 * MIB, Caps(), self._died)

    def _died(self) -> None:
        self.deaths += 1

    async def verdicts(self, bodies: Iterable[bytes]) -> Counter[str]:
        """What became of the pixels of each body."""
        found: Counter[str] = Counter()
        for body in bodies:
            given = codes(await self.pool.decode(body, DEADLINE_S))
            faults = [code for code in given if code in ("decoder_failed", *ALLOWED)]
            found[faults[0] if faults else "ok"] += 1
        return found


@pytest.fixture
async def hammer() -> AsyncIterator[Hammer]:
    """A started hammer whose process is stopped whatever happens."""
    hammer = Hammer()
    await hammer.pool.start()
    try:
        yield hammer
    finally:
        await hammer.pool.stop()


def mutants(frame: bytes, seed: str) -> Iterator[bytes]:
    """Deterministic changes: bytes anywhere or in the header, a cut, a piece moved or repeated."""
    rng = random.Random(seed)
    for number in range(MUTANTS):
        mutant = bytearray(frame)
        reach = len(frame) if number % 2 else min(len(frame), 200)
        for _ in range(rng.randint(1, 8)):
            mutant[rng.randrange(reach)] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        first, second = sorted(rng.randrange(len(mutant)) for _ in range(2))
        if number % 7 == 0:
            del mutant[first:second]
        elif number % 11 == 0:
            mutant[first:first] = mutant[first:second]
        yield bytes(mutant)


@pytest.mark.parametrize("syntax", [family[-1] for family in FAMILIES])
def test_the_gate_itself_only_refuses(syntax: str) -> None:
    """The Python gate answers every mutant with a header or with its one exception."""
    codec = ACCEPTED[syntax].codec
    assert codec is not None
    found: Counter[bool] = Counter()
    for seed in range(5):
        for mutant in mutants(small_frame(syntax), f"{syntax} {seed}"):
            try:
                found[codec.inspect(mutant).rows > 0] += 1
            except CodestreamFault:
                found[False] += 1
    assert found[True] > 0 < found[False]


@pytest.mark.parametrize("syntax", [family[-1] for family in FAMILIES])
async def test_mutated_frames_get_a_verdict(hammer: Hammer, syntax: str) -> None:
    """Every mutant is decoded or refused; no process dies but by its deadline."""
    frame = small_frame(syntax)
    found = await hammer.verdicts(small_file(syntax, mutant) for mutant in mutants(frame, syntax))
    assert found.total() == MUTANTS
    assert set(found) <= ALLOWED
    assert hammer.deaths == found["decode_timeout"]
    assert found["pixel_corrupt"] > MUTANTS // 10
    assert found["ok"] > 0
    # Alive, and none the worse for it.
    assert await hammer.verdicts([small_file(syntax, frame)]) == {"ok": 1}


async def test_mutated_rle_gets_a_verdict(hammer: Hammer) -> None:
    """The same for RLE, whose header knows no size."""
    body = make_ct_slice(transfer_syntax=RLE)
    start = body.index(b"\x02\0\0\0\x40\0\0\0")
    bodies = (body[:start] + mutant for mutant in mutants(body[start:-8], "RLE"))
    found = await hammer.verdicts(mutant + body[-8:] for mutant in bodies)
    assert found.total() == MUTANTS
    assert hammer.deaths == 0


def without_its_gate(frame: bytes) -> int:
    """The exit status of a process that hands a frame to the native decoder unread."""
    code = "import imagecodecs, sys; imagecodecs.htj2k_decode(sys.stdin.buffer.read())"
    return subprocess.run(
        [sys.executable, "-c", code], input=frame, capture_output=True, timeout=60
    ).returncode


async def test_the_gate_is_what_saves_the_process(hammer: Hammer) -> None:
    """HTJ2K with tiles of no width divides by zero in the decoder; behind its gate it does not."""
    frame = changed(small_frame(transcode.HTJ2K_LOSSLESS), SIZ, 18, bytes(8))
    assert without_its_gate(frame) == -signal.SIGFPE
    assert await hammer.verdicts([small_file(transcode.HTJ2K_LOSSLESS, frame)]) == {
        "pixel_corrupt": 1
    }
    assert hammer.deaths == 0


async def test_a_death_would_be_seen(hammer: Hammer) -> None:
    """The counter that the tests above trust counts a process that is killed among them."""

    def bodies() -> Iterator[bytes]:
        for number in range(3):
            if number == 1:
                os.kill(pids()[0], signal.SIGSEGV)
            yield make_ct_slice(seed=number)

    await hammer.verdicts(bodies())
    assert hammer.deaths == 1
