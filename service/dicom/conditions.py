"""Conditions: what each rule of the gate looks at in the text and number elements.

Pure functions of the parsed object (or frame); each answers True when its rule is broken. An
element that is absent breaks a rule only where the rule says so. The first line of each is the
"when" of its row in docs/input-gate.md; what the pixel module says is in `pixel_conditions`.
"""

from __future__ import annotations

import math
import re

from service.dicom.header import CT_CLASSES, ENHANCED_CT
from service.dicom.limits import Caps
from service.dicom.reader import Parsed

# Values of ImageType and FrameType (0008,0008 and 9007) that mark a scout or an image computed
# from others (PS3.3 C.8.2.1.1.1 and C.8.16.1; vendors write them as words of later values).
_NOT_A_SLICE = frozenset(
    {"LOCALIZER", "SECONDARY", "SURVIEW", "MPR", "REFORMATTED", "MIP", "MINIP", "MINMIP"}
    | {"VRT", "3D", "VMI", "MONOENERGETIC", "MONO", "IODINE", "VNC", "VIRTUAL"}
    | {"MAXIMUM", "MINIMUM", "SUBTRACTION", "QUANTITY", "CBF", "CBV", "MTT", "TTP"}
)
_NO_AGENT = frozenset(("N", "NA", "N/A", "0", "NON", "NATIVE", "NATIV", "PLAIN", "UNENHANCED"))
# A phrase that begins so names no agent; "NON-IONIC" does not begin so.
_NONE_GIVEN = re.compile(r"(NO|NONE|NOT|NIL|WITHOUT|W/O|WO|OHNE|SANS|SIN|SEM|SENZA)\b")
_CONTRAST = re.compile(
    r"[CK]ONTRAST|\bKM\b|\bCC\b|\bCTA\b|ANGIO|\bC\+|\+C\b|\bPOST\b|\bCTP\b|PERFUSION"
)
_NO_CONTRAST = re.compile(
    r"(WITHOUT|W/O|\bWO|\bNON?|\bUN|\bOHNE|\bSANS|\bSIN|\bSEM|\bSENZA)[\s-]*"
    r"((IV|I\.V\.|INTRAVENOUS)[\s-]*)?([CK]ONTRAST|KM\b)"
)
_SHARP_KERNEL = re.compile(r"^[HJ][A-Z]?[67]\d|BONE|EDGE|LUNG|^FC[38]\d")
_HEAD = re.compile(r"HEAD|BRAIN|SKULL|CRAN|CEREB|NEURO|KOPF|SCH(A|AE)DEL")
_ELSEWHERE = re.compile(
    r"CHEST|THORA|LUNG|ABDOM|PELVI|SPINE|LUMBAR|CERVICAL|NECK|HEART|CARDIAC|KNEE|HIP\b|SHOULDER"
)
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName")
_EMPTY_BYTES = 8  # a delimiter, or one empty item
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
    """NumberOfFrames is not 1 in a class that has one frame."""
    frames = parsed.header.number("NumberOfFrames")
    return frames not in (None, 1.0) and parsed.header.uid("SOPClassUID") not in ENHANCED_CT


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


def _off_axis_deg(parsed: Parsed) -> float:
    return math.degrees(math.acos(min(1.0, _axial_cosine(parsed))))


def not_axial(parsed: Parsed, caps: Caps) -> bool:
    """Orientation absent or no pair of unit vectors, or plane too far off axial."""
    return _off_axis_deg(parsed) > caps.thresholds.max_off_axis_deg


def tilted(parsed: Parsed, caps: Caps) -> bool:
    """Plane further off axial than gantries tilt, but not so far that it is skipped."""
    return _off_axis_deg(parsed) > caps.thresholds.max_tilt_deg and not not_axial(parsed, caps)


def no_rescale(parsed: Parsed, _: Caps) -> bool:
    """Slope or intercept absent, not one finite number, or slope 0."""
    slope = parsed.header.numbers("RescaleSlope") or ()
    intercept = parsed.header.numbers("RescaleIntercept") or ()
    return len(slope) != 1 or len(intercept) != 1 or slope[0] == 0.0


def rescale_not_hu(parsed: Parsed, _: Caps) -> bool:
    """RescaleType present and another unit than HU."""
    return parsed.header.text("RescaleType").upper() not in ("", "HU")


def _words(parsed: Parsed, keyword: str) -> str:
    """A text in capitals; scanners join the words of a protocol by underscores."""
    return parsed.header.text(keyword).upper().replace("_", " ")


def _contrast(parsed: Parsed) -> bool:
    agent = _words(parsed, "ContrastBolusAgent")
    without = agent in _NO_AGENT or _NONE_GIVEN.match(agent) or _NO_CONTRAST.search(agent)
    named = bool(agent) and not without
    # Enhanced CT lists the agents once and says for each frame whether they had arrived.
    listed = parsed.header.length("ContrastBolusAgentSequence") > _EMPTY_BYTES
    given = parsed.header.text("ContrastBolusAgentAdministered").upper() != "NO"
    return named or (listed and given)


def contrast_agent(parsed: Parsed, caps: Caps) -> bool:
    """An agent is named, other than by a way of saying "none"; setting `contrast` is `skip`."""
    return caps.thresholds.contrast == "skip" and _contrast(parsed)


def contrast_tolerated(parsed: Parsed, caps: Caps) -> bool:
    """The same while the setting `contrast` is `warn`."""
    return caps.thresholds.contrast == "warn" and _contrast(parsed)


def contrast_suspected(parsed: Parsed, _: Caps) -> bool:
    """A description suggests contrast."""
    texts = [_words(parsed, name) for name in _DESCRIPTIONS]
    return any(_CONTRAST.search(_NO_CONTRAST.sub("", text)) for text in texts)


def _outside(value: float | None, low: float, high: float) -> bool:
    return value is not None and not low <= value <= high


def kvp_implausible(parsed: Parsed, caps: Caps) -> bool:
    """Tube voltage that no CT scanner has; absent is no fault (RSNA 2019 has none)."""
    limits = caps.thresholds
    return _outside(parsed.header.number("KVP"), limits.kvp_lowest, limits.kvp_highest)


def kvp_range(parsed: Parsed, caps: Caps) -> bool:
    """Tube voltage plausible but outside the range."""
    limits = caps.thresholds
    outside = _outside(parsed.header.number("KVP"), limits.kvp_min, limits.kvp_max)
    return outside and not kvp_implausible(parsed, caps)


def thickness(parsed: Parsed, caps: Caps) -> bool:
    """Slice thickness outside the range; absent is no fault."""
    limits = caps.thresholds
    thick_mm = parsed.header.number("SliceThickness")
    return _outside(thick_mm, limits.thickness_min_mm, limits.thickness_max_mm)


def pixel_spacing(parsed: Parsed, caps: Caps) -> bool:
    """Pixel spacing present but unreadable, or outside the range."""
    if not parsed.header.texts("PixelSpacing"):
        return False
    limits = caps.thresholds
    spacing_mm = parsed.header.numbers("PixelSpacing")
    if spacing_mm is None or len(spacing_mm) != 2:
        return True
    return any(_outside(mm, limits.spacing_min_mm, limits.spacing_max_mm) for mm in spacing_mm)


def pixel_not_square(parsed: Parsed, _: Caps) -> bool:
    """Row and column spacing differ by more than a thousandth."""
    spacing_mm = parsed.header.numbers("PixelSpacing") or ()
    return len(spacing_mm) == 2 and not math.isclose(*spacing_mm, rel_tol=1e-3)


def sharp_kernel(parsed: Parsed, _: Caps) -> bool:
    """A bone or edge kernel."""
    names = parsed.header.texts("ConvolutionKernel")
    return any(_SHARP_KERNEL.search(name.upper()) for name in names)


def other_body_part(parsed: Parsed, _: Caps) -> bool:
    """BodyPartExamined names something that is not the head."""
    part = parsed.header.text("BodyPartExamined").upper()
    return bool(part) and not _HEAD.search(part)


def other_region(parsed: Parsed, _: Caps) -> bool:
    """Series description or protocol name names another region, and not the head."""
    text = " ".join(_words(parsed, name) for name in _DESCRIPTIONS)
    return bool(_ELSEWHERE.search(text)) and not _HEAD.search(text)


def paediatric(parsed: Parsed, caps: Caps) -> bool:
    """Age present and below the limit (AS, PS3.5 6.2)."""
    age = _AGE.fullmatch(parsed.header.text("PatientAge").upper())
    if age is None:
        return False
    years = int(age[1]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[age[2]]
    return years < caps.thresholds.min_age_years


def burned_in(parsed: Parsed, _: Caps) -> bool:
    """Text is burned into the pixels."""
    return parsed.header.text("BurnedInAnnotation").upper() == "YES"
