"""Inspect folder: read a data set without training on it, and say what it holds.

root + labels -> source.listing -> source.read in processes -> Seen (no voxels) -> DataReport
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from model_build import splits
from model_build.adapters.catalog import open_source
from model_build.adapters.reading import CHUNK, pixel_hash, read_items
from model_build.adapters.records import Item, Record, SliceSource, SourceFacts
from model_build.adapters.workers import spread
from model_build.inspect_report import DataReport, Distances, Range, Seen
from service.types import LABELS

_UNEVEN = 0.1  # relative deviation from the median distance
_GAP = 1.5  # median distances: a slice is missing in between
_SAME_PLACE_MM = 0.01


def inspect_folder(
    kind: str, root: Path, labels: Path | None = None, workers: int = 1, limit: int | None = None
) -> DataReport:
    """Read every slice of a data set and report what was found and what is wrong with it.

    The report holds counts and ranges: no name, identifier or path of the source.

    Args:
        kind: data set of `adapters.catalog`.
        root: its folder.
        labels: label table elsewhere.
        workers: processes that decode.
        limit: slices to read, spread evenly over the set; None reads all.

    Raises:
        ValueError: there is no such kind of data set.
        FileNotFoundError: the folder or the label table does not exist.
    """
    source = open_source(kind, root, labels, workers)
    try:
        listing = source.listing()
    except (ValueError, FileNotFoundError, UnicodeDecodeError) as error:
        return DataReport(source.facts, problems=(f"the labels cannot be used: {error}",))
    items = listing.items
    if limit is not None and limit < len(items):
        items = [items[place] for place in np.linspace(0, len(items) - 1, limit).astype(int)]
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    seen = [row for part in spread(partial(_look, source), chunks, workers, 1) for row in part]
    return summarise(source.facts, len(listing.items), items, seen, listing.corrections)


def _look(source: SliceSource, items: Sequence[Item]) -> list[Seen]:
    return [_seen(record) for record in read_items(source, items)]


def _seen(record: Record) -> Seen:
    return Seen(
        patient=record.patient_key,
        study=record.study_key,
        series=record.series_key,
        order=record.order,
        refused=record.refused,
        corrections=record.corrections,
        warnings=record.warnings,
        syntax=record.syntax,
        tilt_deg=record.tilt_deg,
        spacing_mm=record.spacing_mm,
        image="" if record.voxels is None else pixel_hash(record.voxels),
        masked=record.mask is not None and bool(record.mask.any()),
    )


def summarise(
    facts: SourceFacts,
    listed: int,
    items: Sequence[Item],
    seen: Sequence[Seen],
    corrections: dict[str, int],
) -> DataReport:
    """The report on what was seen of some items; both in the same order."""
    used = [(item, row) for item, row in zip(items, seen, strict=True) if not row.refused]
    table = np.array([item.labels or (0,) * len(LABELS) for item, _ in used], np.uint8)
    table = table.reshape(-1, len(LABELS))
    rows = [row for _, row in used]
    linked = splits.link([row.patient for row in rows], [row.image for row in rows], table)
    fixes = Counter(code for row in rows for code in row.corrections)
    series = _by_series(rows)
    report = DataReport(
        facts,
        listed=listed,
        read=len(items),
        files=len({item.path for item in items}),
        patients=_distinct(row.patient for row in rows),
        studies=_distinct(row.study for row in rows),
        series=len(series),
        slices_per_series=Range.of([len(orders) for orders in series.values()]),
        positives={name: int(table[:, at].sum()) for at, name in enumerate(LABELS)},
        unlabelled=sum(item.labels is None for item, _ in used),
        below_label_rule=sum(not item.usable for item, _ in used),
        masks=sum(row.masked for row in rows),
        groups=dict(Counter(item.group for item, _ in used if item.group)),
        corrections=dict(fixes + Counter(corrections)),
        warnings=dict(Counter(code for row in rows for code in row.warnings)),
        refused=dict(Counter(row.refused for row in seen if row.refused)),
        syntaxes=dict(Counter(row.syntax or "unknown" for row in seen)),
        tilt_deg=Range.of([row.tilt_deg for row in rows]),
        spacing_mm=Range.of([row.spacing_mm for row in rows]),
        distances=_distances(series),
        identical_images=len(rows) - _distinct(row.image or str(at) for at, row in enumerate(rows)),
        linked_patients=_distinct(row.patient for row in rows) - _distinct(linked.groups),
        conflicting_images=int(linked.conflicting.sum()),
        mixed_series=_mixed(rows),
    )
    return report.judged()


def _distinct(keys: Iterable[str]) -> int:
    return len(set(keys) - {""})


def _by_series(rows: Sequence[Seen]) -> dict[str, list[float]]:
    series: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.series:
            series[row.series].append(row.order)
    return series


def _mixed(rows: Sequence[Seen]) -> int:
    """Series that hold slices of more than one patient."""
    owners: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.series:
            owners[row.series].add(row.patient)
    return sum(len(patients) > 1 for patients in owners.values())


def _distances(series: dict[str, list[float]]) -> Distances:
    """Slice distances along the normal, and the series where they are not regular."""
    medians, uneven, gaps, doubled, unknown = [], 0, 0, 0, 0
    for orders in series.values():
        steps = np.diff(np.sort(np.array(orders)))
        if np.isnan(orders).any():
            unknown += 1
            continue
        doubled += bool((steps < _SAME_PLACE_MM).any())
        steps = steps[steps >= _SAME_PLACE_MM]
        if not len(steps):
            continue
        medians.append(float(np.median(steps)))
        uneven += bool((np.abs(steps / medians[-1] - 1) > _UNEVEN).any())
        gaps += bool((steps > _GAP * medians[-1]).any())
    return Distances(Range.of(medians), uneven, gaps, doubled, unknown)
