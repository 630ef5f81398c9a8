"""Series defects: series of valid slices that do not belong together as they are.

files of a series, lowest first ─> order | gaps | duplicates ─> files

The gate judges one object at a time and accepts each of these; they are fixtures for whatever sorts
a series or takes neighbours from it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from model_build.synthetic.defects import OBJECT_DEFECTS
from model_build.synthetic.dicom_edit import edited, put

Files = list[bytes]
MIN_SLICES = 6


@dataclass(frozen=True, slots=True)
class SeriesDefect:
    """One way in which a series can be wrong.

    Attributes:
        name: What is changed; a folder name.
        code: Code of the series checks (spec of the gate, section 3); empty where order alone is
            unusual, which is no fault.
        make: Files of a valid series, lowest first, to those of the defective one.
    """

    name: str
    code: str
    make: Callable[[Sequence[bytes]], Files]


def write_defects(folder: Path, series: Sequence[bytes]) -> None:
    """Write every defect as files, and expected.csv with the code of each.

    Args:
        folder: Receives objects/NAME.dcm, series/NAME/0000.dcm ... and expected.csv.
        series: Files of a valid series in explicit little endian, lowest first.

    Raises:
        ValueError: fewer slices than the series defects need.
    """
    if len(series) < MIN_SLICES:
        raise ValueError(f"a series defect needs a series of at least {MIN_SLICES} slices")
    rows = [["path", "code"]]
    (folder / "objects").mkdir(parents=True, exist_ok=True)
    for defect in OBJECT_DEFECTS:
        path = f"objects/{defect.name}.dcm"
        (folder / path).write_bytes(defect.make(series[len(series) // 2]))
        rows.append([path, defect.code])
    for many in SERIES_DEFECTS:
        home = folder / "series" / many.name
        home.mkdir(parents=True, exist_ok=True)
        for index, body in enumerate(many.make(series)):
            (home / f"{index:04d}.dcm").write_bytes(body)
        rows.append([f"series/{many.name}", many.code])
    with (folder / "expected.csv").open("w", newline="", encoding="ascii") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _reversed(series: Sequence[bytes]) -> Files:
    """Numbered from the top, as half of the scanners do."""
    count = len(series)
    return [
        edited(body, lambda d, number=count - k: put(d, "InstanceNumber", str(number)))  # type: ignore[misc]
        for k, body in enumerate(series)
    ]


def _shuffled(series: Sequence[bytes]) -> Files:
    """Files in another order than their positions."""
    return [*series[1::2], *series[::2]]


def _unnumbered(series: Sequence[bytes]) -> Files:
    """No instance number and no slice location, as in RSNA 2019: only the position is left."""

    def change(dataset: Dataset) -> None:
        put(dataset, "InstanceNumber", None)
        put(dataset, "SliceLocation", None)

    return [edited(body, change) for body in series]


def _missing(series: Sequence[bytes]) -> Files:
    middle = len(series) // 2
    return [*series[:middle], *series[middle + 1 :]]


def _gap(series: Sequence[bytes]) -> Files:
    """Three slices in the middle are gone."""
    middle = len(series) // 2
    return [*series[: middle - 1], *series[middle + 2 :]]


def _same_place(series: Sequence[bytes]) -> Files:
    """A slice claims the position of the one below it."""
    middle = len(series) // 2
    place = _read_position(series[middle - 1])
    moved = edited(series[middle], lambda d: put(d, "ImagePositionPatient", place))
    return [*series[:middle], moved, *series[middle + 1 :]]


def _sent_twice(series: Sequence[bytes]) -> Files:
    """The same object twice, byte for byte."""
    return [*series, series[len(series) // 2]]


def _read_position(body: bytes) -> list[float]:
    found: list[float] = []
    edited(body, lambda d: found.extend(float(v) for v in d.ImagePositionPatient))
    return found


SERIES_DEFECTS: tuple[SeriesDefect, ...] = (
    SeriesDefect("reversed", "", _reversed),
    SeriesDefect("shuffled", "", _shuffled),
    SeriesDefect("unnumbered", "", _unnumbered),
    SeriesDefect("missing_slice", "gap", _missing),
    SeriesDefect("big_gap", "gap", _gap),
    SeriesDefect("same_position", "duplicate_position", _same_place),
    SeriesDefect("sent_twice", "duplicate_position", _sent_twice),
)
