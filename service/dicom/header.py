"""Header: typed access to the elements of one data set that never fails and never warns.

pydicom names the elements; the values are converted here, because its conversions repeat values
in warnings and exceptions. A value that is absent, too long or of the wrong kind reads as None.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from service.dicom.scan import Place
from service.types import Identity

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = frozenset((f"{CT_IMAGE}.1", f"{CT_IMAGE}.2"))  # the latter is Legacy Converted
CT_CLASSES = ENHANCED_CT | {CT_IMAGE}

# Identity and class, what was scanned, how, the geometry, the pixels, the rescale.
_KEYWORDS = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("Modality", "ImageType", "SeriesDescription", "ProtocolName", "BodyPartExamined"),
    *("PatientAge", "ContrastBolusAgent", "KVP", "ConvolutionKernel", "BurnedInAnnotation"),
    *("SliceThickness", "ImageOrientationPatient", "PixelSpacing", "NumberOfFrames"),
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue"),
    *("PixelPaddingRangeLimit", "PixelData", "WindowCenter", "WindowWidth"),
    "LossyImageCompression",
    *("RescaleIntercept", "RescaleSlope", "RescaleType", "ContrastBolusAgentSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)
# Only inside the functional groups of a multi-frame object (`functional_groups`).
_OF_FRAMES = ("FrameType", "CodeMeaning", "ContrastBolusAgentAdministered")
TAGS: dict[str, int] = {name: tag_for_keyword(name) or 0 for name in (*_KEYWORDS, *_OF_FRAMES)}
WANTED: frozenset[int] = frozenset(TAGS[name] for name in _KEYWORDS)

# The longest value of these elements in real objects is below 200 bytes.
_MAX_TEXT_BYTES = 1024
# PS3.5 9.1, but for the leading zeros that some makers write.
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")
_LENIENT_UID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Header:
    """The wanted elements of one data set: where they lie in `data`, and in which byte order."""

    data: memoryview
    places: dict[int, Place]
    little: bool = True
    lenient_uids: bool = False

    def has(self, keyword: str) -> bool:
        """Whether the element is there, with or without a value."""
        return TAGS[keyword] in self.places

    def length(self, keyword: str) -> int:
        """Bytes of the value, 0 when the element is absent."""
        place = self.places.get(TAGS[keyword])
        return 0 if place is None else place.length

    def raw(self, keyword: str) -> bytes | None:
        """The bytes of a short value, None when it is absent or longer than any real one."""
        place = self.places.get(TAGS[keyword])
        if place is None or place.length > _MAX_TEXT_BYTES:
            return None
        return bytes(self.data[place.start : place.start + place.length])

    def texts(self, keyword: str) -> tuple[str, ...]:
        """The values of a text element without padding; empty when there are none."""
        raw = self.raw(keyword)
        if not raw:
            return ()
        text = raw.decode("latin-1").strip(" \0")
        return tuple(part.strip(" \0") for part in text.split("\\")) if text else ()

    def text(self, keyword: str) -> str:
        """The first value of a text element, or an empty string."""
        return next(iter(self.texts(keyword)), "")

    def numbers(self, keyword: str) -> tuple[float, ...] | None:
        """The values of a DS or IS element, None unless all are finite decimals (PS3.5 6.2)."""
        texts = self.texts(keyword)
        if not texts or not all(_DECIMAL.fullmatch(text) for text in texts):
            return None
        values = tuple(float(text) for text in texts)
        return values if all(math.isfinite(value) for value in values) else None

    def number(self, keyword: str) -> float | None:
        """The first value of a DS or IS element; the others need not be numbers."""
        text = self.text(keyword)
        value = float(text) if _DECIMAL.fullmatch(text) else math.nan
        return value if math.isfinite(value) else None

    def word(self, keyword: str) -> int | None:
        """The one value of a US element; None for another VR or length."""
        place = self.places.get(TAGS[keyword])
        if place is None or place.length != 2 or place.vr not in (None, "US", "SS"):
            return None
        raw = bytes(self.data[place.start : place.start + 2])
        return int.from_bytes(raw, "little" if self.little else "big")

    def uid(self, keyword: str) -> str:
        """A syntactically valid UID (PS3.5 9.1), or an empty string."""
        pattern = _LENIENT_UID if self.lenient_uids else _UID
        text = self.text(keyword)
        return text if pattern.fullmatch(text) else ""

    def identity(self) -> Identity:
        """The UIDs of the instance as far as they can be read."""
        return Identity(
            sop_instance_uid=self.uid("SOPInstanceUID"),
            series_instance_uid=self.uid("SeriesInstanceUID"),
            study_instance_uid=self.uid("StudyInstanceUID"),
        )
