"""Truth: truth.csv of a finished phantom set as arrays.

truth.csv ─> rows of text ─> one array per meaning, aligned by slice
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.types import LABELS

SUBTYPES = LABELS[:-1]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of N slices.

    Attributes:
        names: File stems.
        patients: Phantom seed; equal for twins.
        series: Number of the series.
        planes: intp (N,), 0 = lowest slice of its series.
        twins: File stem of the same plane with the other bleeding state, empty where none.
        labels: uint8 (N, 6).
        subvisible: bool (N,).
        bleeding: bool (N,), the series has lesions.
        volumes_ml: (N, 5), of the whole series.
        area_mm2: (N, 5), on the slice.
        mean_hu: (N, 5) noise-free, NaN where there is no such area away from bone.
        cnr: (N, 5), contrast to the tissue around over the noise SD.
        noise_hu: (N,), of the series.
        voxel_ml: (N,), volume of a pixel of the slice; the table moves along z, tilted or not.
    """

    names: tuple[str, ...]
    patients: tuple[str, ...]
    series: tuple[str, ...]
    planes: npt.NDArray[np.intp]
    twins: tuple[str, ...]
    labels: npt.NDArray[np.uint8]
    subvisible: npt.NDArray[np.bool_]
    bleeding: npt.NDArray[np.bool_]
    volumes_ml: Floats
    area_mm2: Floats
    mean_hu: Floats
    cnr: Floats
    noise_hu: Floats
    voxel_ml: Floats

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.names)

    def first_rows(self) -> npt.NDArray[np.intp]:
        """The first row of each series."""
        found: dict[str, int] = {}
        for row, series in enumerate(self.series):
            found.setdefault(series, row)
        return np.array(list(found.values()), dtype=np.intp)


def read_truth(folder: Path) -> Truth:
    """Read truth.csv of a phantom set.

    Raises:
        FileNotFoundError: the folder is no finished phantom set.
        ValueError: it has no slice, or was written by an earlier recipe.
    """
    path = folder / "truth.csv"
    if not path.exists():
        raise FileNotFoundError("there is no truth.csv; run `python -m model_build phantoms` first")
    with path.open(encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"twin", "pixel_mm"} <= rows[0].keys():
        raise ValueError("truth.csv is empty or of an earlier recipe; write the phantoms again")

    def text(name: str) -> tuple[str, ...]:
        return tuple(row[name] for row in rows)

    def number(name: str) -> Floats:
        return np.array([float(row[name]) if row[name] else math.nan for row in rows])

    def each(what: str) -> Floats:
        return np.stack([number(f"{name}_{what}") for name in SUBTYPES], axis=1)

    cosine = np.cos(np.radians(number("tilt_deg")))
    return Truth(
        names=text("id"),
        patients=text("phantom_seed"),
        series=text("series"),
        planes=number("slice").astype(np.intp),
        twins=text("twin"),
        labels=np.stack([number(name) for name in LABELS], axis=1).astype(np.uint8),
        subvisible=number("subvisible") == 1,
        bleeding=number("lesions") == 1,
        volumes_ml=each("ml"),
        area_mm2=each("area_mm2"),
        mean_hu=each("mean_hu"),
        cnr=each("cnr"),
        noise_hu=number("noise_hu"),
        voxel_ml=number("pixel_mm") ** 2 * number("thickness_mm") * cosine / 1000.0,
    )
