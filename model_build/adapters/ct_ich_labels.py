"""CT-ICH labels: the diagnosis and demographics tables of PhysioNet CT-ICH (Hssayeni 2020).

Both releases have the same columns; headers come with a BOM, trailing blanks and a newline.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from model_build.adapters.records import UNKNOWN_TYPE, Labels, check_any
from service.types import LABELS

_ADULT_YEARS = 18


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One row: slice `number` of a patient counts from 1."""

    patient: int
    number: int
    labels: Labels

    @property
    def mask_value(self) -> int:
        """What its mask shows: the subtype when there is one alone, else blood of unknown type."""
        positive = [index + 1 for index, value in enumerate(self.labels[:-1]) if value]
        return positive[0] if len(positive) == 1 else UNKNOWN_TYPE


def read_diagnoses(path: Path) -> tuple[list[Diagnosis], dict[str, int]]:
    """The rows by patient and slice, and how many were repeated.

    Raises:
        ValueError: a column is missing, a value is no number or not 0 or 1, rows contradict
            each other, or `No_Hemorrhage` is not the opposite of the five types.
    """
    found: dict[tuple[int, int], Diagnosis] = {}
    repeated = 0
    for line, row in _rows(path):
        try:
            diagnosis = _diagnosis(row, line)
        except KeyError as error:
            raise ValueError(f"the diagnoses lack the column {error.args[0]}") from None
        place = (diagnosis.patient, diagnosis.number)
        repeated += place in found
        if found.setdefault(place, diagnosis) != diagnosis:
            raise ValueError(f"line {line} of the diagnoses contradicts an earlier one")
    rows = [found[place] for place in sorted(found)]
    return rows, {"duplicate_label_row": repeated} if repeated else {}


def read_age_groups(path: Path) -> dict[int, str]:
    """`adult` or `paediatric` by patient number; empty without a table.

    Raises:
        ValueError: the columns of patient and age are missing.
    """
    if not path.exists():
        return {}
    groups = {}
    for _, row in _rows(path):
        number = row.get("patientnumber", "")
        if "ageyears" not in row or "patientnumber" not in row:
            raise ValueError("the demographics lack the columns of patient and age")
        try:
            age = float(row["ageyears"])
            groups[int(number)] = "adult" if age >= _ADULT_YEARS else "paediatric"
        except ValueError:  # notes below the table
            continue
    return groups


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows by plain column name: letters only, so that `Age (years)` over two lines is one."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        table = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    names = ["".join(filter(str.isalpha, cell)).lower() for cell in (table[0] if table else [])]
    return [
        (line, dict(zip(names, row, strict=False)))
        for line, row in enumerate(table[1:], 2)
        if any(row)
    ]


def _diagnosis(row: dict[str, str], line: int) -> Diagnosis:
    flags = [row[name] for name in (*LABELS[:-1], "nohemorrhage")]
    numbers = [row["patientnumber"], row["slicenumber"]]
    if not set(flags) <= {"0", "1"} or not all(number.isdecimal() for number in numbers):
        raise ValueError(f"line {line} of the diagnoses holds a value that is not 0 or 1")
    *types, none = (int(flag) for flag in flags)
    labels = check_any((*types, 1 - none), line)
    return Diagnosis(int(numbers[0]), int(numbers[1]), labels)
