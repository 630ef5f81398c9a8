"""Rsna: the layout of the RSNA 2019 challenge, which the phantom generator writes as well.

folder/labels.csv   header `ID,Label`, rows `ID_<hex>_<label>,0|1`, six per slice
folder/dicom/       one `ID_<hex>.dcm` per slice
folder/truth.csv    phantoms only: what is known beyond the labels; `subvisible` is read here
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from service.types import LABELS


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """One DICOM file and its six labels (0 or 1, in the order of LABELS)."""

    path: Path
    labels: tuple[int, ...]
    subvisible: bool


def read_folder(folder: Path) -> list[LabelledFile]:
    """Every labelled slice of a folder, ordered by name.

    Raises:
        ValueError: a label is not 0 or 1, duplicates conflict, one of six is missing, or `any`
            differs from the OR of the five subtypes.
        FileNotFoundError: a labelled slice has no file.
    """
    labels = _read_labels(folder / "labels.csv")
    hidden = _read_subvisible(folder / "truth.csv")
    files = []
    for name in sorted(labels):
        path = folder / "dicom" / f"{name}.dcm"
        if not path.exists():
            raise FileNotFoundError(f"{path.name} is labelled and missing")
        files.append(LabelledFile(path, _row(name, labels[name]), name in hidden))
    return files


def _read_labels(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            name, label = row["ID"].rsplit("_", 1)
            if label not in LABELS or row["Label"] not in ("0", "1"):
                raise ValueError(f"labels.csv holds a label that is not 0 or 1 of six: {label}")
            value = int(row["Label"])
            # The challenge repeats 24 rows; a repetition that agrees is dropped.
            if found.setdefault(name, {}).setdefault(label, value) != value:
                raise ValueError(f"labels.csv contradicts itself for {name}")
    return found


def _row(name: str, labels: dict[str, int]) -> tuple[int, ...]:
    if set(labels) != set(LABELS):
        raise ValueError(f"labels.csv lacks one of the six labels of {name}")
    values = tuple(labels[label] for label in LABELS)
    if values[-1] != max(values[:-1]):
        raise ValueError(f"`any` of {name} is not the OR of its subtypes")
    return values


def _read_subvisible(path: Path) -> set[str]:
    if not path.exists():
        return set()
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["id"] for row in csv.DictReader(stream) if row["subvisible"] == "1"}
