"""Scores: what a network said of every slice of a split, kept beside its run for later tables.

run folder/scores.npz   names, patients, series, labels, logits, probabilities of the test split,
                        and the same with the prefix `val_` of the validation split
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.types import LABELS

SCORES_FILE = "scores.npz"
VALIDATION_PREFIX = "val_"


@dataclass(frozen=True, slots=True)
class Scores:
    """The slices of one split and what was said of them.

    Attributes:
        names: (N,) text, stem of the DICOM file.
        patients: (N,) text, key of the patient; no name and no identifier of anyone.
        series: (N,) text, key of the series.
        labels: (N, 6) uint8.
        logits: (N, 6) float32, before calibration.
        probabilities: (N, 6) float64, calibrated.
    """

    names: npt.NDArray[np.str_]
    patients: npt.NDArray[np.str_]
    series: npt.NDArray[np.str_]
    labels: npt.NDArray[np.uint8]
    logits: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ValueError: lengths or columns differ.
        """
        count, width = len(self.names), len(LABELS)
        if any(array.shape != (count,) for array in (self.names, self.patients, self.series)):
            raise ValueError("scores need one name, patient and series per slice")
        tables = (self.labels, self.logits, self.probabilities)
        if any(array.shape != (count, width) for array in tables):
            raise ValueError("scores need six labels, logits and probabilities per slice")

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.names)


def write_scores(folder: Path, test: Scores, validation: Scores) -> Path:
    """Write `scores.npz` of a run folder; returns its path."""
    arrays = {name: getattr(test, name) for name in _NAMES}
    arrays |= {VALIDATION_PREFIX + name: getattr(validation, name) for name in _NAMES}
    path = folder / SCORES_FILE
    np.savez_compressed(path, **arrays)
    return path


def read_scores(folder: Path) -> tuple[Scores, Scores]:
    """The scores of a run folder: (test, validation).

    Raises:
        FileNotFoundError: the run wrote none.
        ValueError: an array is missing or does not fit the others.
    """
    with np.load(folder / SCORES_FILE, allow_pickle=False) as data:
        try:
            test = Scores(**{name: data[name] for name in _NAMES})
            validation = Scores(**{name: data[VALIDATION_PREFIX + name] for name in _NAMES})
        except KeyError as error:
            raise ValueError("scores.npz lacks an array") from error
    return test, validation


_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Scores))
