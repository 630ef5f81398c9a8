"""Kaggle200: the head-CT-hemorrhage set of F. Kitamura, 200 pictures with one label.

root/labels.csv            header `id, hemorrhage` (with the blank), ids without leading zeros
root/head_ct/000.png ...   8-bit, RGB or RGBA, any size; no HU, no patients
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_build.adapters.pictures import GREY_WINDOW, read_grey, stretched_voxels
from model_build.adapters.records import Item, Listing, Record, SourceFacts, key
from service.dicom.resample import to_slice_size

FACTS = SourceFacts(
    "kaggle200",
    "head-ct-hemorrhage",
    "none found; not redistributable",
    label_level="image",
    hounsfield=False,
    known_labels=("any",),
)
_THUMBNAIL = 32  # pixels
_NEAR = 4.0  # mean difference of grey values below which two pictures are one


@dataclass(frozen=True, slots=True)
class Kaggle200Source:
    """200 pictures; those that are identical or nearly so count as one patient."""

    root: Path
    labels: Path | None = None

    @property
    def facts(self) -> SourceFacts:
        """No Hounsfield units, `any` alone."""
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
        """Every labelled picture (see `SliceSource.listing`)."""
        rows, repeated = _read_labels(self.labels or self.root / "labels.csv")
        paths = {number: self.root / "head_ct" / f"{number:03d}.png" for number in rows}
        missing = sum(not path.exists() for path in paths.values())
        if missing:
            raise FileNotFoundError(f"{missing} of {len(rows)} labelled pictures are missing")
        homes = _link([_thumbnail(path) for path in paths.values()])
        counts = {"duplicate_label_row": repeated}
        counts["near_identical_linked"] = len(homes) - len(set(homes))
        return Listing(
            [
                Item(
                    paths[n], f"{n:03d}", (0, 0, 0, 0, 0, rows[n]), patient=key(f"kaggle200/{home}")
                )
                for n, home in zip(paths, homes, strict=True)
            ],
            {code: count for code, count in counts.items() if count},
        )

    def read(self, items: Sequence[Item]) -> Iterator[Record]:
        """Grey values, stretched to the square as in the papers."""
        for item in items:
            try:
                voxels = stretched_voxels(read_grey(item.path))
            except OSError:
                yield Record(item, item.patient, refused="picture_corrupt")
                continue
            own = key(f"kaggle200/{item.name}")
            yield Record(
                item, item.patient, own, own, voxels=voxels, window=GREY_WINDOW, syntax="PNG"
            )


def _read_labels(path: Path) -> tuple[dict[int, int], int]:
    """Label by number, and how many rows were repeated."""
    found: dict[int, int] = {}
    repeated = 0
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        if [cell.strip().lower() for cell in next(rows, [])] != ["id", "hemorrhage"]:
            raise ValueError("the labels lack the header `id, hemorrhage`")
        for line, row in enumerate(rows, 2):
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(cells) != 2 or not cells[0].isdecimal() or cells[1] not in ("0", "1"):
                raise ValueError(f"line {line} of the labels holds a label that is not 0 or 1")
            number, label = int(cells[0]), int(cells[1])
            repeated += number in found
            if found.setdefault(number, label) != label:
                raise ValueError(f"line {line} of the labels contradicts an earlier one")
    return dict(sorted(found.items())), repeated


def _thumbnail(path: Path) -> npt.NDArray[np.float64]:
    try:
        voxels = stretched_voxels(read_grey(path))
    except OSError:  # refused when it is read; it resembles nothing
        return np.full((_THUMBNAIL, _THUMBNAIL), np.nan)
    return to_slice_size(voxels, _THUMBNAIL).astype(np.float64)


def _link(thumbnails: Sequence[npt.NDArray[np.float64]]) -> list[int]:
    """For each picture the first one that it is, or nearly is, a copy of (transitively)."""
    homes = list(range(len(thumbnails)))
    for later, picture in enumerate(thumbnails):
        for earlier in range(later):
            if np.abs(picture - thumbnails[earlier]).mean() < _NEAR:
                old, new = homes[later], homes[earlier]
                homes = [new if home == old else home for home in homes]
    return homes
