"""Records: what every data set on disk looks like to the build step.

root + labels ─ source.listing() ─> Items ─ source.read(), in worker processes ─> Records

What is the same for every record of a set (licence, label level) is in its `SourceFacts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from service.dicom.patient import SALT
from service.types import LABELS

Labels = tuple[int, ...]  # 0 or 1 in the order of LABELS
LabelLevel = Literal["slice", "scan", "image"]

UNKNOWN_TYPE = len(LABELS)  # mask value of blood whose subtype is not known; 1..5 are subtypes


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What holds for a whole data set.

    Attributes:
        name: data set.
        version: release that is read.
        licence: its identifier; its terms follow the weights (datasets.md section 5, rule 6).
        label_level: what one row of labels speaks of; "scan" labels give no slice metrics.
        hounsfield: the voxels are HU; False: grey values 0..255.
        known_labels: the labels that the set gives; the others are stored as 0 and mean nothing.
        external: only for a final check, never to choose thresholds, epochs or calibration.
    """

    name: str = "phantoms"
    version: str = ""
    licence: str = ""
    label_level: LabelLevel = "slice"
    hounsfield: bool = True
    known_labels: tuple[str, ...] = LABELS
    external: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled slice before it is read.

    Attributes:
        path: file that holds it.
        name: unique within the set; names no patient.
        labels: None when the set has none for it.
        place: index of the slice in a file of many.
        usable: False: blood below the label rule, neither class.
        group: subgroup to report apart (CQ500 batch, CT-ICH age group).
        patient: key where the layout and not the file knows the patient.
        mask: file of the blood mask.
    """

    path: Path
    name: str
    labels: Labels | None
    place: int = 0
    usable: bool = True
    group: str = ""
    patient: str = ""
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The items of a set, and how often the labels were corrected or did not match files."""

    items: list[Item]
    corrections: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One slice as read: int16 (512, 512), or the code of its refusal.

    Attributes:
        item: what was read.
        patient_key, study_key, series_key: salted hashes, empty when unknown.
        order: position along the slice normal in mm, NaN when unknown.
        voxels: HU (grey values where the set has no HU); None when refused.
        window: default window, centre and width.
        refused: code of the first rule that refused it, empty when none did.
        corrections: codes of what was repaired.
        warnings: codes of what is outside the validated range.
        mask: uint8 (512, 512), 0 none, 1..5 subtype + 1, 6 subtype unknown.
        syntax: name of the transfer syntax or file format.
        tilt_deg, spacing_mm: angle of the slice normal to the axis, pixel spacing; NaN unknown.
    """

    item: Item
    patient_key: str = ""
    study_key: str = ""
    series_key: str = ""
    order: float = float("nan")
    voxels: npt.NDArray[np.int16] | None = None
    window: tuple[float, float] = (0.0, 0.0)
    refused: str = ""
    corrections: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    mask: npt.NDArray[np.uint8] | None = None
    syntax: str = ""
    tilt_deg: float = float("nan")
    spacing_mm: float = float("nan")


class SliceSource(Protocol):
    """One data set on disk; picklable, so that worker processes can read it."""

    @property
    def root(self) -> Path:
        """Folder of the set."""

    @property
    def facts(self) -> SourceFacts:
        """What holds for the whole set."""

    @property
    def variant(self) -> str:
        """Options that change what is decoded; part of the cache key."""

    @property
    def masks(self) -> Path | None:
        """Folder of ready `<name>.png` masks; None when there are none or `read` makes them."""

    def listing(self) -> Listing:
        """Every labelled slice.

        Raises:
            ValueError: the labels contradict themselves.
            FileNotFoundError: labels or files are missing.
        """

    def read(self, items: Sequence[Item]) -> Iterator[Record]:
        """Read items of one file, in their order; what cannot be used is a refused record."""


def key(text: str) -> str:
    """Salted SHA-256, 16 hex digits: groups slices without naming anyone; empty for empty."""
    return hashlib.sha256(SALT + text.encode()).hexdigest()[:16] if text else ""


def check_any(labels: Labels, line: int) -> Labels:
    """The labels of a row, if `any` is the OR of the five subtypes.

    Raises:
        ValueError: it is not.
    """
    if labels[-1] != max(labels[:-1]):
        raise ValueError(f"line {line} of the labels: `any` is not the OR of its subtypes")
    return labels
