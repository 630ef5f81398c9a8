"""Limits: what one object may cost, and the range that its values may have.

`Caps` holds for any bytes and is checked before their content is believed; `Thresholds` judges
the values of an object that could be read. Both are settings of the service (`service.config`,
same names with the prefix `ICH_`), so the defaults stand there a second time; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the model is meant for; outside an object is warned of or skipped.

    Attributes:
        contrast: what a named contrast agent leads to; the tag may describe the whole examination.
        lossy: what lossy compressed pixels lead to.
        content: what a picture that cannot be a head leads to.
        max_tilt_deg: warned of beyond this angle between plane and axial plane, degrees.
        max_off_axis_deg: skipped beyond this angle, degrees; |n_z| of 0.8 is 36.87 degrees.
        kvp_lowest: least tube voltage of a CT scanner, kV; skipped below.
        kvp_highest: likewise the most.
        kvp_min: least tube voltage without a warning, kV.
        kvp_max: likewise the most.
        thickness_min_mm: least slice thickness without a warning, mm.
        thickness_max_mm: likewise the most.
        spacing_min_mm: least distance of pixel centres without a warning, mm.
        spacing_max_mm: likewise the most.
        min_age_years: least age without a warning, years.
    """

    contrast: Literal["skip", "warn"] = "skip"
    lossy: Literal["warn", "refuse"] = "warn"
    content: Literal["skip", "warn"] = "skip"
    max_tilt_deg: float = 30.0
    max_off_axis_deg: float = 36.87
    kvp_lowest: float = 70.0
    kvp_highest: float = 150.0
    kvp_min: float = 100.0
    kvp_max: float = 140.0
    thickness_min_mm: float = 0.5
    thickness_max_mm: float = 10.0
    spacing_min_mm: float = 0.3
    spacing_max_mm: float = 0.75
    min_age_years: float = 18.0


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds of one object; a breach is a REJECT, never an attempt.

    Attributes:
        max_bytes: single-frame object as received, bytes (setting `max_slice_bytes`).
        max_object_bytes: multi-frame object as received, bytes.
        max_inflated_bytes: data set after inflating the deflated syntax, bytes.
        max_elements: data elements and sequence items that are visited (largest seen: 270).
        max_frame_elements: the same in the functional groups, times `max_frames`.
        max_depth: nesting of undefined-length sequences (largest seen: 3).
        max_header_bytes: bytes in front of the pixel data, without functional groups
            (largest seen: 273 KB).
        max_fragments: fragments of encapsulated pixel data of one frame.
        max_frames: frames of a multi-frame object.
        min_matrix: fewest rows or columns, pixels.
        max_matrix: most rows or columns, pixels.
        thresholds: the range of the values.
        lenient_uids: accept identifiers that are no UIDs (`ID_6431af929` of RSNA 2019) and a
            missing SOP class; for that data set's adapter only, never for serving.
    """

    max_bytes: int = 4 * MIB
    max_object_bytes: int = 64 * MIB
    max_inflated_bytes: int = 4 * MIB
    max_elements: int = 4096
    max_frame_elements: int = 1024
    max_depth: int = 16
    max_header_bytes: int = MIB // 2
    max_fragments: int = 64
    max_frames: int = 128
    min_matrix: int = 64
    max_matrix: int = 1024
    thresholds: Thresholds = Thresholds()
    lenient_uids: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From what `dataclasses.asdict` made of one, across a process boundary."""
        return cls(**{**values, "thresholds": Thresholds(**values["thresholds"])})

    @property
    def longest_bytes(self) -> int:
        """The longest body that is looked at, bytes."""
        return max(self.max_bytes, self.max_object_bytes)
