"""DICOM file: one slice of a training set, decoded by the code that serves.

bytes -> service.dicom.decode (gate, HU, documented repairs) -> Record with keys and position
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import config
from pydicom.uid import UID, AllTransferSyntaxes

from model_build.adapters.records import Item, Record, key
from service.dicom.decode import decode_slice
from service.dicom.limits import Caps
from service.dicom.violations import MATRIX_RESAMPLED
from service.types import Action

_TAGS = (
    *("SOPInstanceUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("SeriesDescription", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
)
_SYNTAX_NAMES = frozenset(uid.name for uid in AllTransferSyntaxes)
_BLOCKING = (Action.REJECT, Action.SKIP)


@dataclass(frozen=True, slots=True)
class Tags:
    """What a data set is grouped and ordered by; texts are empty and vectors () when absent."""

    sop: str = ""
    patient: str = ""
    study: str = ""
    series: str = ""
    description: str = ""
    position: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    spacing: tuple[float, ...] = ()
    syntax: str = ""

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit-length slice normal, row x column (PS3.3 C.7.6.2.1.1); NaN when unknown."""
        if len(self.orientation) != 6:
            return np.full(3, np.nan)
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def order_mm(self) -> float:
        """Position along the normal: right for any orientation and gantry tilt; NaN unknown."""
        return float(np.dot(self.position, self.normal)) if len(self.position) == 3 else math.nan

    @property
    def tilt_deg(self) -> float:
        """Angle between the slice normal and the axis of the table, degrees."""
        return math.degrees(math.acos(min(1.0, abs(float(self.normal[2])))))


def read_tags(file: Path | bytes) -> Tags:
    """The tags of a file; what cannot be read is empty, never an exception with its values."""
    source = BytesIO(file) if isinstance(file, bytes) else file
    before = config.settings.reading_validation_mode
    # The UIDs of RSNA 2019 are `ID_...`: pydicom would warn, with the value in its text.
    config.settings.reading_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pydicom.dcmread(
                source, specific_tags=list(_TAGS), stop_before_pixels=True, force=True
            )
            return _tags_of(found)
    except Exception:  # a damaged header; the gate has the last word on the file
        return Tags()
    finally:
        config.settings.reading_validation_mode = before


def _tags_of(found: pydicom.Dataset) -> Tags:
    sop, patient, study, series, description = (str(found.get(name) or "") for name in _TAGS[:5])
    position, orientation, spacing = (_numbers(found, name) for name in _TAGS[5:])
    syntax = UID(str(found.file_meta.get("TransferSyntaxUID", ""))).name
    # The name of the registry or nothing: a made-up UID could carry anything.
    known = syntax if syntax in _SYNTAX_NAMES else "unregistered"
    return Tags(sop, patient, study, series, description, position, orientation, spacing, known)


def _numbers(found: pydicom.Dataset, name: str) -> tuple[float, ...]:
    """Values of a DS element; one NaN when they are not numbers."""
    try:
        return tuple(float(value) for value in found.get(name) or ())
    except (TypeError, ValueError):
        return (math.nan,)


def read_dicom(item: Item, caps: Caps, *, only_512: bool = False) -> Record:
    """Decode one file.

    Args:
        item: the file and its labels.
        caps: limits; `lenient_uids` is for RSNA 2019 alone.
        only_512: leave out what had to be resampled, as the paper did (269 files of RSNA).
    """
    body = item.path.read_bytes()
    decoded, tags = decode_slice(body, caps), read_tags(body)
    found = decoded.violations
    refused = next((each.code for each in found if each.action in _BLOCKING), "")
    corrections = tuple(each.code for each in found if each.action == Action.FIX)
    if not refused and only_512 and MATRIX_RESAMPLED.code in corrections:
        refused = "matrix_not_512"
    if not refused and tags.position and not math.isfinite(tags.order_mm):
        refused = "position_not_finite"
    slice_hu = None if refused else decoded.slice_hu
    window = slice_hu.window if slice_hu else None
    return Record(
        item,
        patient_key=item.patient or key(tags.patient or tags.study),
        study_key=key(tags.study),
        series_key=key(tags.series),
        order=tags.order_mm,
        voxels=slice_hu.voxels_hu if slice_hu else None,
        window=(window.center, window.width) if window else (0.0, 0.0),
        refused=refused,
        corrections=() if refused else corrections,
        warnings=tuple(each.code for each in found if each.action == Action.WARN),
        syntax=tags.syntax,
        tilt_deg=tags.tilt_deg,
        spacing_mm=tags.spacing[0] if len(tags.spacing) == 2 else math.nan,
    )
