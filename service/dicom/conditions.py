"""Conditions: what each rule of the gate looks at. Pure functions of the parsed object.

Each answers one question with True when its rule is broken. An element that is absent breaks a
rule only where the rule says so; thresholds are those of the input-gate table.
"""

from __future__ import annotations

import math
import re

from service.dicom.limits import Caps
from service.dicom.reader import Parsed
from service.types import SLICE_SIZE

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = frozenset((f"{CT_IMAGE}.1", f"{CT_IMAGE}.2"))
CT_CLASSES = ENHANCED_CT | {CT_IMAGE}

# Values of ImageType (0008,0008) that mark a scout or an image computed from others (PS3.3
# C.8.2.1.1.1 and C.8.15.3; vendors write them as words of the third and later values).
_NOT_A_SLICE = frozenset(
    {"LOCALIZER", "SECONDARY", "SURVIEW", "MPR", "REFORMATTED", "MIP", "MINIP", "MINMIP"}
    | {"VRT", "3D", "VMI", "MONOENERGETIC", "MONO", "IODINE", "VNC", "VIRTUAL"}
)
_NO_AGENT = frozenset(
    {"NONE", "NO", "N", "NIL", "NA", "N/A", "0", "NON", "NON-CONTRAST", "WITHOUT", "W/O"}
    | {"OHNE", "NATIVE", "PLAIN", "UNENHANCED"}
)
_CONTRAST = re.compile(r"CONTRAST|\bCC\b|\bCTA\b|ANGIO|\bC\+|\+C\b|\bPOST\b|\bCTP\b|PERFUSION")
_NO_CONTRAST = re.compile(r"(WITHOUT|W/O|\bWO\b|\bNON?\b|\bUN)[\s_-]*(IV[\s_-]*)?CONTRAST")
_SHARP_KERNEL = re.compile(r"^[HJ][A-Z]?[67]\d|BONE|EDGE|LUNG|^FC[38]\d")
_HEAD = re.compile(r"HEAD|BRAIN|SKULL|CRAN|CEREB|NEURO|KOPF|SCH(A|AE)DEL")
_AGE = re.compile(r"(\d{1,3})([DWMY])", re.ASCII)


def not_ct_class(parsed: Parsed, _: Caps) -> bool:
    """Another SOP class, in the data set or, where it has none, in the file meta group."""
    uid = parsed.header.uid("SOPClassUID") or parsed.media_class
    return bool(uid) and uid not in CT_CLASSES


def not_ct_modality(parsed: Parsed, _: Caps) -> bool:
    """Modality absent or not CT."""
    return parsed.header.text("Modality").upper() != "CT"


def not_a_slice(parsed: Parsed, _: Caps) -> bool:
    """ImageType names a scout, a secondary capture or a reformat."""
    values = parsed.header.texts("ImageType")
    words = {word for value in values for word in re.split(r"[\s_/-]+", value.upper())}
    return bool(words & _NOT_A_SLICE)


def multi_frame(parsed: Parsed, _: Caps) -> bool:
    """More than one frame, or a class that is multi-frame by definition."""
    frames = parsed.header.number("NumberOfFrames")
    return (frames is not None and frames != 1) or (parsed.header.uid("SOPClassUID") in ENHANCED_CT)


def _axial_cosine(parsed: Parsed) -> float:
    """|n_z| of the plane normal, 0..1; 0 when the orientation is absent or degenerate."""
    cosines = parsed.header.numbers("ImageOrientationPatient")
    if cosines is None or len(cosines) != 6 or any(abs(c) > 1.01 for c in cosines):
        return 0.0
    (rx, ry, rz), (cx, cy, cz) = cosines[:3], cosines[3:]
    normal = (ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx)
    length = math.hypot(*normal)
    # Row and column are unit vectors at right angles (PS3.3 C.7.6.2.1.1).
    return abs(normal[2]) / length if 0.9 < length < 1.1 else 0.0


def not_axial(parsed: Parsed, _: Caps) -> bool:
    """Plane more than 36.9 degrees off axial, or unknown."""
    return _axial_cosine(parsed) < 0.8


def tilted(parsed: Parsed, _: Caps) -> bool:
    """Plane 30 to 36.9 degrees off axial: beyond what gantries tilt."""
    return 0.8 <= _axial_cosine(parsed) < math.cos(math.radians(30.0))


def no_rescale(parsed: Parsed, _: Caps) -> bool:
    """Slope or intercept absent or not finite, or slope 0."""
    slope = parsed.header.number("RescaleSlope")
    return not slope or parsed.header.number("RescaleIntercept") is None


def rescale_not_hu(parsed: Parsed, _: Caps) -> bool:
    """RescaleType present and another unit than HU."""
    return parsed.header.text("RescaleType").upper() not in ("", "HU")


def monochrome1(parsed: Parsed, _: Caps) -> bool:
    """Shown inverted; the Hounsfield units are not."""
    return parsed.header.text("PhotometricInterpretation").upper() == "MONOCHROME1"


def wrong_layout(parsed: Parsed, _: Caps) -> bool:
    """Not one 16-bit monochrome sample with its bits at the low end (PS3.3 C.7.6.3)."""
    header = parsed.header
    stored = header.word("BitsStored") or 0
    return (
        header.word("SamplesPerPixel") != 1
        or header.word("BitsAllocated") != 16
        or not 1 < stored <= 16
        or header.word("HighBit") != stored - 1
        or header.word("PixelRepresentation") not in (0, 1)
        or header.text("PhotometricInterpretation").upper() not in ("MONOCHROME1", "MONOCHROME2")
    )


def matrix_over_caps(parsed: Parsed, caps: Caps) -> bool:
    """Rows or columns absent or outside the caps."""
    sides = (parsed.header.word("Rows") or 0, parsed.header.word("Columns") or 0)
    return not caps.min_matrix <= min(sides) <= max(sides) <= caps.max_matrix


def matrix_not_square(parsed: Parsed, _: Caps) -> bool:
    """A matrix with no defined mapping to 512 x 512."""
    return parsed.header.word("Rows") != parsed.header.word("Columns")


def matrix_not_512(parsed: Parsed, _: Caps) -> bool:
    """A square matrix that has to be resampled."""
    rows = parsed.header.word("Rows")
    return rows == parsed.header.word("Columns") and rows not in (None, SLICE_SIZE)


def pixel_length(parsed: Parsed, _: Caps) -> bool:
    """Native pixel data missing, short or long; encapsulated pixel data without a fragment."""
    if parsed.syntax is None:
        return False  # refused already; how its pixels are laid out is unknown
    if parsed.syntax.rle:
        return not parsed.fragments
    header = parsed.header
    expected = int(header.number("NumberOfFrames") or 1)
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
        expected *= header.word(keyword) or 0
    # Bits to bytes, padded to an even length (PS3.5 8.1.1).
    return parsed.pixels is None or parsed.pixels.length != (expected // 8 + 1) // 2 * 2


def contrast_agent(parsed: Parsed, _: Caps) -> bool:
    """An agent is named, and the name is not a way of saying that there was none."""
    agent = parsed.header.text("ContrastBolusAgent").upper()
    return bool(agent) and agent not in _NO_AGENT and not _NO_CONTRAST.search(agent)


def contrast_suspected(parsed: Parsed, _: Caps) -> bool:
    """A description suggests contrast."""
    texts = [parsed.header.text(name).upper() for name in ("SeriesDescription", "ProtocolName")]
    return any(_CONTRAST.search(_NO_CONTRAST.sub("", text)) for text in texts)


def _outside(value: float | None, low: float, high: float) -> bool:
    return value is not None and not low <= value <= high


def kvp_implausible(parsed: Parsed, _: Caps) -> bool:
    """Tube voltage outside 70..150 kV; absent is no fault (RSNA 2019 has none)."""
    return _outside(parsed.header.number("KVP"), 70.0, 150.0)


def kvp_range(parsed: Parsed, caps: Caps) -> bool:
    """Tube voltage plausible but outside 100..140 kV."""
    return _outside(parsed.header.number("KVP"), 100.0, 140.0) and not kvp_implausible(parsed, caps)


def thickness(parsed: Parsed, _: Caps) -> bool:
    """Slice thickness outside 0.5..10 mm."""
    return _outside(parsed.header.number("SliceThickness"), 0.5, 10.0)


def pixel_spacing(parsed: Parsed, _: Caps) -> bool:
    """Pixel spacing outside 0.3..0.75 mm, unreadable, or not square."""
    if not parsed.header.texts("PixelSpacing"):
        return False
    spacing_mm = parsed.header.numbers("PixelSpacing")
    if spacing_mm is None or len(spacing_mm) != 2:
        return True
    square = math.isclose(*spacing_mm, rel_tol=1e-3)
    return not square or any(_outside(value, 0.3, 0.75) for value in spacing_mm)


def sharp_kernel(parsed: Parsed, _: Caps) -> bool:
    """A bone or edge kernel."""
    names = parsed.header.texts("ConvolutionKernel")
    return any(_SHARP_KERNEL.search(name.upper()) for name in names)


def other_body_part(parsed: Parsed, _: Caps) -> bool:
    """BodyPartExamined names something that is not the head."""
    part = parsed.header.text("BodyPartExamined").upper()
    return bool(part) and not _HEAD.search(part)


def paediatric(parsed: Parsed, _: Caps) -> bool:
    """Age below 18 years (AS, PS3.5 6.2)."""
    age = _AGE.fullmatch(parsed.header.text("PatientAge").upper())
    if age is None:
        return False
    years = int(age[1]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[age[2]]
    return years < 18.0


def burned_in(parsed: Parsed, _: Caps) -> bool:
    """Text is burned into the pixels."""
    return parsed.header.text("BurnedInAnnotation").upper() == "YES"
