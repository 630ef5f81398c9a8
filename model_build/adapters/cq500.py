"""CQ500: 491 scans of Qure.ai with labels per scan, for series-level figures only.

root/reads.csv
root/**/CQ500CT12 CQ500CT12/Unknown Study/CT Plain/CT000000.dcm

files -> grouped by StudyInstanceUID and SeriesInstanceUID -> one series per scan (`series_choice`)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_build.adapters.cq500_reads import ScanRead, read_votes, scan_number
from model_build.adapters.dicom_file import Tags, read_dicom, read_tags
from model_build.adapters.records import Item, Listing, Record, SourceFacts, key
from model_build.adapters.series_choice import Series, choose
from model_build.adapters.workers import spread
from service.dicom.limits import Caps

FACTS = SourceFacts("cq500", "2018", "CC BY-NC-SA 4.0", label_level="scan", external=True)

Found = list[tuple[Path, Tags]]


@dataclass(frozen=True, slots=True)
class Cq500Source:
    """One non-contrast soft-kernel series of each scan; `workers` processes read the headers."""

    root: Path
    labels: Path | None = None
    workers: int = 1

    @property
    def facts(self) -> SourceFacts:
        """Labels of scans; external."""
        return FACTS

    @property
    def variant(self) -> str:
        """There are no options."""
        return FACTS.name

    @property
    def masks(self) -> Path | None:
        """There are none."""
        return None

    def listing(self) -> Listing:
        """Every slice of the chosen series, with its scan's labels and batch."""
        reads, corrections = read_votes(self.labels or self.root / "reads.csv")
        counts: Counter[str] = Counter(corrections)
        scans = self._scans()
        items: list[Item] = []
        for number in sorted(scans):
            if number not in reads:
                counts["scan_without_reads"] += 1
                continue
            series = choose(_by_series(scans[number], counts))
            if series is None:
                counts["scan_without_fitting_series"] += 1
                continue
            items += _items(series, reads[number])
        counts["reads_without_scan"] = len(set(reads) - set(scans))
        if not items:
            raise FileNotFoundError("no scan of the reads has a series that can be used")
        return Listing(items, {code: count for code, count in counts.items() if count})

    def read(self, items: Sequence[Item]) -> Iterator[Record]:
        """Decode by the code that serves, without any tolerance."""
        for item in items:
            yield read_dicom(item, Caps())

    def _scans(self) -> dict[int, Found]:
        """Files with their tags by scan number; the number is in a folder's name."""
        paths = sorted(path for path in self.root.rglob("*") if path.suffix.lower() == ".dcm")
        scans: dict[int, Found] = defaultdict(list)
        for path, tags in zip(paths, spread(read_tags, paths, self.workers), strict=True):
            number = scan_number(str(path.parent.relative_to(self.root)))
            if number is not None:
                scans[number].append((path, tags))
        return scans


def _by_series(files: Found, counts: Counter[str]) -> list[Series]:
    """The series of the study that most files belong to: a folder may hold a stranger's slice."""
    study, _ = Counter((tags.patient, tags.study) for _, tags in files).most_common(1)[0]
    groups: dict[str, Found] = defaultdict(list)
    for path, tags in files:
        if (tags.patient, tags.study) != study:
            counts["slice_of_another_study"] += 1
        else:
            groups[tags.series].append((path, tags))
    counts["series_not_chosen"] += len(groups) - 1
    return [Series(tuple(groups[uid])) for uid in sorted(groups)]


def _items(series: Series, read: ScanRead) -> list[Item]:
    scan = key(f"cq500/{read.scan}")
    ordered = sorted(series.files, key=lambda file: file[1].order_mm)
    return [
        Item(path, f"{scan}_{place:04d}", read.labels, group=read.batch, patient=scan)
        for place, (path, _) in enumerate(ordered)
    ]
