"""Truth: what the phantom generator knows of each slice beyond its labels, as columns.

truth.csv (one row per slice) + slice names -> `read_truth` -> Truth, rows in the order of the names
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_build import people
from model_build.metrics import FloatArray
from service.types import LABELS

TRUTH_FILE = "truth.csv"
SUBTYPES = LABELS[:-1]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of N slices.

    Attributes:
        volume_ml: (N, 6), volume of the lesions of the label in the whole series; `any`: of all.
        cnr: (N, 6), contrast of the lesion on the slice over the noise; `any`: the largest.
        factors: column name -> (N,) text, how the slice was scanned and of whom; also what
            `people` knows of the person, and `slice_level`, the place of the slice in its series
            from 0 (lowest) to 1.
    """

    volume_ml: FloatArray
    cnr: FloatArray
    factors: Mapping[str, npt.NDArray[np.str_]]

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.volume_ml)


def read_truth(path: Path, names: Sequence[str]) -> Truth:
    """The rows of `truth.csv` of these slices, in this order.

    Raises:
        ValueError: a slice or a column is missing, or a number is none.
        FileNotFoundError: there is no such file.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    highest: dict[str, int] = {}
    try:
        for row in rows.values():
            highest[row["series"]] = max(highest.get(row["series"], 0), int(row["slice"]))
        chosen = [rows[name] for name in names]
        volumes = np.array([_numbers(row, "ml") for row in chosen]).reshape(-1, len(SUBTYPES))
        contrasts = np.array([_numbers(row, "cnr") for row in chosen]).reshape(-1, len(SUBTYPES))
        levels = [int(row["slice"]) / max(1, highest[row["series"]]) for row in chosen]
    except (KeyError, ValueError) as error:
        raise ValueError("truth.csv lacks a slice, a column or a number") from error
    factors = {name: np.array([row[name] for row in chosen]) for name in _factors(chosen)}
    factors |= people.factors(path.parent, [row.get("phantom_seed", "") for row in chosen])
    return Truth(
        volume_ml=np.column_stack([volumes, volumes.sum(axis=1)]),
        cnr=np.column_stack([contrasts, contrasts.max(axis=1)]),
        factors={**factors, "slice_level": np.array([f"{level:.3f}" for level in levels])},
    )


def _numbers(row: Mapping[str, str], what: str) -> list[float]:
    """One figure of the five subtypes; empty where there is no lesion to measure."""
    return [float(row[f"{name}_{what}"] or 0.0) for name in SUBTYPES]


def _factors(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Columns that describe the scan and the person and not the lesion."""
    head = ("id", "phantom_seed", "series", "slice", "z_mm", "subvisible", "lesions", "shift_mm")
    lesion = tuple(f"{name}_" for name in SUBTYPES)
    known = rows[0] if rows else {}
    return [
        name
        for name in known
        if name not in head and name not in LABELS and not name.startswith(lesion)
    ]
