"""Rsna: the layout of the RSNA 2019 challenge, which the phantom generator writes as well.

root/labels.csv or stage_2_train.csv   either public layout, see `label_csv`; or a file elsewhere
root/**/<name>.dcm                     named by the ID of its label row or by SOPInstanceUID
root/truth.csv, root/masks/            phantoms only: `subvisible`; masks of the blood
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_build.adapters.dicom_file import read_dicom, read_tags
from model_build.adapters.label_csv import read_labels, slice_name
from model_build.adapters.records import Item, Listing, Record, SourceFacts
from service.dicom.limits import Caps

_LABEL_FILES = ("labels.csv", "stage_2_train.csv")
_NOT_DICOM = (".csv", ".json", ".md", ".png", ".txt", ".zip")
RSNA = SourceFacts("rsna", "2019 stage 2", "RSNA 2019 challenge, non-commercial")
PHANTOMS = SourceFacts("phantoms", "synthetic", "synthetic, no patient data")


@dataclass(frozen=True, slots=True)
class RsnaSource:
    """A folder in the RSNA layout.

    Attributes:
        root: the folder.
        labels: label table elsewhere. It may then name slices that the folder does not hold,
            which are left out and counted; the folder's own table must match its files.
        only_512: leave out files of another matrix, as the paper did.
    """

    root: Path
    labels: Path | None = None
    only_512: bool = False

    @property
    def _is_phantom(self) -> bool:
        return (self.root / "truth.csv").exists()

    @property
    def facts(self) -> SourceFacts:
        """Phantoms when the folder has their truth.csv, else the challenge."""
        return PHANTOMS if self._is_phantom else RSNA

    @property
    def variant(self) -> str:
        """Options that change what is decoded."""
        return f"{self.facts.name},only_512={self.only_512}"

    @property
    def masks(self) -> Path | None:
        """Masks of the phantoms."""
        folder = self.root / "masks"
        return folder if self._is_phantom and folder.is_dir() else None

    def listing(self) -> Listing:
        """Every labelled slice, ordered by name (see `SliceSource.listing`)."""
        table = self.labels or _own_labels(self.root)
        labels, corrections = read_labels(table)
        files, strays = _match(labels, self.root)
        missing = len(labels) - len(files)
        if missing and (self.labels is None or not files):
            raise FileNotFoundError(f"{missing} of {len(labels)} labelled slices have no file")
        hidden = _read_subvisible(self.root / "truth.csv")
        counts = {"labelled_without_file": missing, "file_without_label": strays}
        corrections |= {code: count for code, count in counts.items() if count}
        return Listing(
            [
                Item(files[name], name, labels[name], usable=name not in hidden)
                for name in sorted(files)
            ],
            corrections,
        )

    def read(self, items: Sequence[Item]) -> Iterator[Record]:
        """Decode by the code that serves; only RSNA's `ID_...` identifiers are tolerated."""
        caps = Caps(lenient_uids=not self._is_phantom)
        for item in items:
            yield read_dicom(item, caps, only_512=self.only_512)


def _own_labels(root: Path) -> Path:
    found = next((root / name for name in _LABEL_FILES if (root / name).exists()), None)
    if found is None:
        raise FileNotFoundError(f"the folder holds neither of {', '.join(_LABEL_FILES)}")
    return found


def _match(names: Iterable[str], root: Path) -> tuple[dict[str, Path], int]:
    """Files by label name, and how many files no label names.

    Raises:
        ValueError: two files have the name of one label row.
    """
    wanted, found, others = set(names), dict[str, Path](), []
    folder = root / "dicom" if (root / "dicom").is_dir() else root
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _NOT_DICOM or not path.is_file():
            continue
        name = slice_name(path.name)
        if name not in wanted:
            others.append(path)
        elif found.setdefault(name, path) != path:
            raise ValueError("two files have the name of one label row")
    if len(found) == len(wanted):
        return found, len(others)
    # Some exports name files by number and label them by SOPInstanceUID.
    strays = 0
    for path in others:
        uid = read_tags(path).sop
        if uid not in wanted:
            strays += 1
        elif found.setdefault(uid, path) != path:
            raise ValueError("two files have the SOPInstanceUID of one label row")
    return found, strays


def _read_subvisible(path: Path) -> set[str]:
    if not path.exists():
        return set()
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["id"] for row in csv.DictReader(stream) if row["subvisible"] == "1"}
