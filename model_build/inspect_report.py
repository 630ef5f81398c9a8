"""Inspect report: what a data set on disk holds and what is wrong with it, without its patients."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from model_build.adapters.records import SourceFacts

_FEWEST_PATIENTS = 3  # one for each split
NOTICE = "Research use, not a medical device."


@dataclass(frozen=True, slots=True)
class Seen:
    """One slice as `records.Record`, without its pixels."""

    patient: str
    study: str = ""
    series: str = ""
    order: float = math.nan
    refused: str = ""
    corrections: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    syntax: str = ""
    tilt_deg: float = math.nan
    spacing_mm: float = math.nan
    image: str = ""
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest, median and largest of the known values; None without any."""

    low: float | None = None
    median: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Range:
        """The range of the finite values."""
        known = [value for value in values if math.isfinite(value)]
        if not known:
            return cls()
        return cls(*(round(float(each), 3) for each in (min(known), np.median(known), max(known))))

    def __str__(self) -> str:
        """For a terminal."""
        if self.low is None:
            return "unknown"
        return f"{self.low:g} .. {self.high:g}, median {self.median:g}"


@dataclass(frozen=True, slots=True)
class Distances:
    """Distance of neighbouring slices along their normal, mm, and how many series are odd."""

    millimetres: Range = field(default_factory=Range)
    uneven: int = 0
    with_gaps: int = 0
    with_doubled_position: int = 0
    without_position: int = 0


@dataclass(frozen=True, slots=True)
class DataReport:
    """Counts over the slices that were read; those that are refused count only as `refused`.

    Attributes:
        facts: the data set.
        listed: slices with labels and files; `read` of them were looked at.
        corrections: repairs of pixels and mismatches of labels and files, by code.
        problems: sentences on what is wrong; empty when nothing is.
    """

    facts: SourceFacts
    listed: int = 0
    read: int = 0
    files: int = 0
    patients: int = 0
    studies: int = 0
    series: int = 0
    slices_per_series: Range = field(default_factory=Range)
    positives: Mapping[str, int] = field(default_factory=dict)
    unlabelled: int = 0
    below_label_rule: int = 0
    masks: int = 0
    groups: Mapping[str, int] = field(default_factory=dict)
    corrections: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    syntaxes: Mapping[str, int] = field(default_factory=dict)
    tilt_deg: Range = field(default_factory=Range)
    spacing_mm: Range = field(default_factory=Range)
    distances: Distances = field(default_factory=Distances)
    identical_images: int = 0
    linked_patients: int = 0
    conflicting_images: int = 0
    mixed_series: int = 0
    problems: tuple[str, ...] = ()

    def judged(self) -> DataReport:
        """The same with its problems."""
        silent = [name for name in self.facts.known_labels if not self.positives.get(name)]
        found = {
            "slices are refused": sum(self.refused.values()),
            "labelled slices have no file": self.corrections.get("labelled_without_file", 0),
            "files have no label": self.corrections.get("file_without_label", 0),
            "slices have no label": self.unlabelled,
            "series hold slices of more than one patient": self.mixed_series,
            "series have two slices at one position": self.distances.with_doubled_position,
            "series have gaps or change their slice distance": self.distances.with_gaps,
            "series have slices without a position": self.distances.without_position,
            "images are the same as another": self.identical_images,
            "images have other labels elsewhere": self.conflicting_images,
        }
        problems = [f"{count} {what}" for what, count in found.items() if count]
        if silent:
            problems.append(f"no positive slice of {', '.join(silent)}")
        if self.patients < _FEWEST_PATIENTS:
            problems.append("too few patients for three splits")
        if not self.facts.hounsfield:
            problems.append("no Hounsfield units: refused for networks that window HU")
        if self.facts.label_level == "scan":
            problems.append("labels of whole scans: series figures only")
        return replace(self, problems=tuple(problems))

    def to_json(self) -> str:
        """Everything as JSON; unknown values are null."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)

    def lines(self) -> list[str]:
        """Everything for a terminal."""
        facts = self.facts
        counts = {
            "positive": self.positives,
            "groups": self.groups,
            "corrections": self.corrections,
            "warnings": self.warnings,
            "refused": self.refused,
            "transfer syntax or format": self.syntaxes,
        }
        irregular = self.distances
        return [
            f"{facts.name} {facts.version}, licence: {facts.licence}. {NOTICE}",
            f"slices listed {self.listed}, read {self.read}, in {self.files} files",
            f"patients {self.patients}, studies {self.studies}, series {self.series}",
            f"slices per series {self.slices_per_series}",
            f"below the label rule {self.below_label_rule}, masks {self.masks}",
            *(f"{name}: {_pairs(found)}" for name, found in counts.items()),
            f"tilt, degrees: {self.tilt_deg}",
            f"pixel spacing, mm: {self.spacing_mm}",
            f"slice distance, mm: {irregular.millimetres}; uneven in {irregular.uneven} series",
            f"patients linked by identical images: {self.linked_patients}",
            *(f"problem: {text}" for text in self.problems or ("none found",)),
        ]


def _pairs(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
