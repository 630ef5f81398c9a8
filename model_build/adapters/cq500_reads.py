"""CQ500 reads: three readers' votes per scan, as majority labels.

reads.csv: `name,Category` (B1 or B2), then `R1:ICH`, `R1:IPH`, ... for R1, R2 and R3
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from model_build.adapters.records import Labels

# The readers' columns in the order of LABELS.
_FINDINGS = ("EDH", "IPH", "IVH", "SAH", "SDH", "ICH")
_READERS = ("R1", "R2", "R3")
_MAJORITY = 2
_NAME = re.compile(r"CQ500-?CT-?(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ScanRead:
    """The readers' verdict on one scan.

    Attributes:
        scan: number, the same in `CQ500-CT-12` and in the folder `CQ500CT12 CQ500CT12`.
        batch: B1 (consecutive) or B2 (enriched); figures of B2 need a stated prevalence.
        votes: readers that saw each finding, 0..3, in the order of LABELS.
    """

    scan: int
    batch: str
    votes: tuple[int, ...]

    @property
    def labels(self) -> Labels:
        """At least two of three; `any` is the majority on ICH, not the OR of the types.

        Readers who agree on blood may differ on its type, so the OR can be 0 beside `any` 1.
        """
        return tuple(int(votes >= _MAJORITY) for votes in self.votes)


def scan_number(text: str) -> int | None:
    """The number in a name or a folder of the set, None when there is none."""
    found = _NAME.search(text)
    return int(found.group(1)) if found else None


def read_votes(path: Path) -> tuple[dict[int, ScanRead], dict[str, int]]:
    """Verdicts by scan number, and what was found on the way.

    Raises:
        ValueError: a column is missing, a vote is not 0 or 1, a category is neither B1 nor B2,
            or rows of one scan contradict each other.
    """
    found: dict[int, ScanRead] = {}
    repeated = 0
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        header = [cell.strip() for cell in next(rows, [])]
        wanted = [f"{reader}:{finding}" for finding in _FINDINGS for reader in _READERS]
        absent = [name for name in ("name", "Category", *wanted) if name not in header]
        if absent:
            raise ValueError(f"the reads lack the column {absent[0]}")
        for line, cells in enumerate(rows, 2):
            if not any(cell.strip() for cell in cells):
                continue
            read = _scan_read(dict(zip(header, map(str.strip, cells), strict=False)), line)
            repeated += read.scan in found
            if found.setdefault(read.scan, read) != read:
                raise ValueError(f"line {line} of the reads contradicts an earlier one")
    untyped = sum(read.labels[-1] != max(read.labels[:-1]) for read in found.values())
    counts = {"duplicate_label_row": repeated, "any_is_not_the_or_of_majorities": untyped}
    return found, {code: count for code, count in counts.items() if count}


def _scan_read(row: dict[str, str], line: int) -> ScanRead:
    votes = [[row.get(f"{reader}:{name}", "") for reader in _READERS] for name in _FINDINGS]
    scan, batch = scan_number(row["name"]), row.get("Category", "")
    if scan is None or batch not in ("B1", "B2"):
        raise ValueError(f"line {line} of the reads has no scan name or no category B1 or B2")
    if not all(vote in ("0", "1") for three in votes for vote in three):
        raise ValueError(f"line {line} of the reads holds a vote that is not 0 or 1")
    return ScanRead(scan, batch, tuple(sum(map(int, three)) for three in votes))
