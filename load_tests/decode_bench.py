"""Decode bench: what one slice costs in each transfer syntax, beside plain pydicom.

slice -> every syntax -> rounds of (pydicom, in process, pool), interleaved -> medians -> table

CPU time of one core, not wall time, for what a slice costs; wall time for what a pool delivers.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import sys
import tarfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.filewriter import dcmwrite
from pydicom.pixels import apply_rescale
from pydicom.uid import ExplicitVRLittleEndian

from load_tests.payloads import SAMPLE
from load_tests.transcode import (
    HTJ2K_LOSSLESS,
    HTJ2K_RPCL,
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    transcoded,
)
from service.config import available_cores
from service.dicom.decode import decode_slice
from service.dicom.limits import MIB, Caps
from service.dicom.pool import DecodePool
from service.dicom.transfer_syntax import ACCEPTED

ARCHIVE = SAMPLE.parents[2] / "shared" / "data" / "dicom_test_files.tar.xz"
COLUMNS = ("pydicom", "in process", "ratio", "worker", "loop", "1/s here", "1/s pool", "aim")
# Worker CPU of one slice that was aimed at, ms.
_ROOT = "1.2.840.10008.1.2"
AIMS_MS = {
    **{_ROOT: 0.4, _ROOT + ".1": 0.4, _ROOT + ".5": 0.6},
    **{JPEG_LOSSLESS: 2.0, JPEG_LOSSLESS_SV1: 2.0, JPEG_LS: 4.0, JPEG_2000_LOSSLESS: 20.0},
    **{HTJ2K_LOSSLESS: 1.5, HTJ2K_RPCL: 1.5},
}
_DEADLINE_S = 60.0


@dataclass(slots=True)
class Row:
    """One slice in one syntax; every figure is a list of medians' raw material, ms or slices/s."""

    name: str
    body: bytes
    aim_ms: float | None = None
    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, column: str, value: float) -> None:
        """Note one round's figure."""
        self.figures.setdefault(column, []).append(value)

    def median(self, column: str) -> float | None:
        """The median of the rounds, None where nothing was measured."""
        values = self.figures.get(column)
        return statistics.median(values) if values else None


def phantom() -> bytes:
    """The sample slice as most scanners store one: 12 bits, unsigned, intercept -1024."""
    dataset = dcmread(SAMPLE)
    hu = apply_rescale(dataset.pixel_array, dataset)
    dataset.PixelData = (hu + 1024).clip(0, 4095).astype("<u2").tobytes()
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def phantom_rows() -> list[Row]:
    """The phantom in every syntax that the service decodes."""
    body = phantom()
    return [
        Row(syntax.name, transcoded(body, uid), AIMS_MS.get(uid))
        for uid, syntax in ACCEPTED.items()
    ]


def as_plain_head(body: bytes) -> bytes:
    """A file without what the gate skips it for: a slice that is refused early costs nothing."""
    dataset = dcmread(io.BytesIO(body))
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.pop("ContrastBolusAgent", None)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def archive_rows(archive: Path) -> list[Row]:
    """The CT slices of WG-04, real ones in the syntaxes of several encoders; none without them."""
    if not archive.is_file():
        return []
    rows = []
    with tarfile.open(archive) as members:
        for member in members:
            path = Path(member.name)
            content = members.extractfile(member) if member.isfile() else None
            if content and path.parts[-3:-2] == ("WG04",) and path.name.startswith("CT"):
                rows.append(Row(path.name, as_plain_head(content.read())))
    return sorted(rows, key=lambda row: row.name)


def by_pydicom(body: bytes) -> None:
    """What a script does: read, decode, rescale."""
    dataset = dcmread(io.BytesIO(body))
    apply_rescale(dataset.pixel_array, dataset)


def cpu_ms(act: Callable[[], object], repeats: int) -> float:
    """CPU time of one call in this process, ms."""
    start = time.process_time()
    for _ in range(repeats):
        act()
    return (time.process_time() - start) / repeats * 1e3


def pydicom_reads(row: Row) -> bool:
    """Whether pydicom has a decoder for this slice in this environment."""
    try:
        by_pydicom(row.body)
    except Exception:  # whatever it lacks, the column stays empty
        return False
    return True


def children_ms(pids: Sequence[int]) -> float:
    """CPU time that the decode processes have used, ms (schedstat, in ns: proc(5))."""
    stats = [Path(f"/proc/{pid}/schedstat").read_text("ascii") for pid in pids]
    return sum(int(stat.split()[0]) for stat in stats) / 1e6


def child_pids() -> list[int]:
    """The decode processes of this one."""
    task = Path("/proc/self/task")
    lists = [path.read_text("ascii") for path in task.glob("*/children")]
    return [int(pid) for pids in lists for pid in pids.split()]


async def through_pool(pool: DecodePool, row: Row, workers: int, repeats: int) -> None:
    """One round of one slice: as many callers as processes, each the same number of slices."""
    pids = child_pids()

    async def caller() -> None:
        for _ in range(repeats):
            await pool.decode(row.body, _DEADLINE_S)

    await pool.decode(row.body, _DEADLINE_S)
    worker_ms, loop_s, start = children_ms(pids), time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(workers)))
    slices = workers * repeats
    row.add("1/s pool", slices / (time.perf_counter() - start) / workers)
    row.add("loop", (time.process_time() - loop_s) / slices * 1e3)
    row.add("worker", (children_ms(pids) - worker_ms) / slices)


async def measure(rows: Sequence[Row], workers: int, rounds: int, repeats: int) -> None:
    """All rounds; every slice and method in each of them, so that a busy minute hits them alike."""
    pool = DecodePool(workers, 20.0, 1024 * MIB, Caps())
    await pool.start()
    readable = {row.name for row in rows if pydicom_reads(row)}
    try:
        for _ in range(rounds):
            for row in rows:
                await through_pool(pool, row, workers, repeats)
                row.add("in process", cpu_ms(lambda body=row.body: decode_slice(body), repeats))
                if row.name in readable:
                    row.add("pydicom", cpu_ms(lambda body=row.body: by_pydicom(body), repeats))
    finally:
        await pool.stop()


def cells(row: Row) -> list[str]:
    """The figures of one slice as text, a dash where there is none."""
    here, plain = row.median("in process"), row.median("pydicom")
    values: Mapping[str, float | None] = {
        **{name: row.median(name) for name in COLUMNS},
        "ratio": plain / here if here and plain else None,
        "1/s here": 1e3 / here if here else None,
        "aim": row.aim_ms,
    }
    digits = {"ratio": 1, "1/s here": 0, "1/s pool": 0}
    texts = ("-" if values[n] is None else f"{values[n]:.{digits.get(n, 2)}f}" for n in COLUMNS)
    return [row.name, f"{len(row.body) / 1024:.0f}", *texts]


def table(rows: Sequence[Row]) -> str:
    """Every slice with its medians, right-aligned."""
    lines = [["slice", "KiB", *COLUMNS], *(cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


LEGEND = """
pydicom, in process, worker, loop, aim: CPU ms of a slice (median of the rounds); pydicom is
dcmread + pixel_array + apply_rescale; loop is what the parent of the pool spends.
1/s: slices per second and core, in one process and through a pool with a process on each core.
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.decode_bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds")
    parser.add_argument("--repeats", type=int, default=10, help="calls in a row within a round")
    parser.add_argument("--workers", type=int, default=available_cores(), help="decode processes")
    parser.add_argument("--archive", type=Path, default=ARCHIVE, help="dicom_test_files.tar.xz")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; speed depends on the machine, so no figure is a failure."""
    options = parse(arguments)
    warnings.simplefilter("ignore")
    rows = [*phantom_rows(), *archive_rows(options.archive)]
    asyncio.run(measure(rows, options.workers, options.rounds, options.repeats))
    print(table(rows) + "\n" + LEGEND)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
