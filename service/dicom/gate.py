"""Gate: the rules that an object must keep to be scored, one row of data each.

Parsed -> check -> violations, all of them in the order of the table. What is only known once the
pixels are decoded (`content`, the fixes) is found by `decode` and lives in `violations`.
docs/input-gate.md is made of this table (`make gate-docs`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from service.dicom import conditions as c
from service.dicom import pixel_conditions as p
from service.dicom.limits import Caps
from service.dicom.reader import Parsed
from service.dicom.violations import FIXED, MATRIX_RESAMPLED, MULTI_FRAME, PIXEL_LENGTH, violation
from service.types import Action, Kind, Violation

REJECT, SKIP, WARN = Action.REJECT, Action.SKIP, Action.WARN
Condition = Callable[[Parsed, Caps], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row.

    Attributes:
        violation: what is reported when the condition holds.
        broken: the condition; the first line of its docstring says when.
        reason: why there is such a rule: a DICOM clause or another source.
        settings: the settings (of `Caps` and `Thresholds`) that the condition looks at.
    """

    violation: Violation
    broken: Condition
    reason: str
    settings: tuple[str, ...] = ()

    @property
    def when(self) -> str:
        """The condition in words."""
        function = self.broken.func if isinstance(self.broken, partial) else self.broken
        return (function.__doc__ or "").split("\n", 1)[0]


def _row(
    code: str,
    action: Action,
    keyword: str,
    message: str,
    broken: Condition,
    reason: str,
    *settings: str,
) -> Rule:
    return Rule(violation(code, action, message, keyword=keyword), broken, reason, settings)


def _no_uid(keyword: str, parsed: Parsed, caps: Caps) -> bool:
    """The element is absent or does not hold a UID."""
    # RSNA 2019 removed the SOP class altogether.
    optional = caps.lenient_uids and keyword == "SOPClassUID"
    return not optional and not parsed.header.uid(keyword)


def _identity(keyword: str) -> Rule:
    message = "An identifier of the instance is missing or is not a UID."
    reason = "PS3.3 C.12.1, C.7.2.1, C.7.3.1; PS3.5 9.1: answers name the instance by it."
    return _row("identity_missing", REJECT, keyword, message, partial(_no_uid, keyword), reason)


def _representation(keyword: str) -> Rule:
    message = "An element that decides how pixels are read is written as another kind of value."
    broken = violation("wrong_vr", REJECT, message, kind=Kind.MALFORMED, keyword=keyword)
    wanted = " or ".join(p.VR_OF[keyword])
    return Rule(broken, partial(p.wrong_vr, keyword), f"PS3.6: the VR is {wanted}.")


_SOP_CLASS = _row(
    "sop_class",
    SKIP,
    "SOPClassUID",
    "The object is not a CT image.",
    c.not_ct_class,
    "PS3.4 B.5: reports, captures and presentation states travel in CT studies.",
)
_LAYOUT = "The pixels are not one 16-bit monochrome sample with its bits at the low end."
_LAYOUT_WHY = "PS3.3 C.7.6.3.1 and C.8.2.1: CT is stored in one way; colour and 8 bits are copies."

# fmt: off
RULES: tuple[Rule, ...] = (
    *map(_identity, ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")),
    *map(_representation, p.VR_OF),
    _SOP_CLASS,
    _row("modality", SKIP, "Modality", "The modality is not CT.", c.not_ct_modality,
         "PS3.3 C.7.3.1.1.1; also keeps out our own reports when a gateway sends them back."),
    _row("image_type", SKIP, "ImageType",
         "The image is a localizer, a secondary capture or computed from others.", c.not_a_slice,
         "PS3.3 C.8.2.1.1.1 and C.8.16.1: scouts, reformats, projections and spectral images"
         " (VMI, iodine, VNC) do not hold the HU of one slice."),
    Rule(MULTI_FRAME, c.multi_frame, "PS3.3 A.3: a CT Image has one frame; those of Enhanced CT"
         " objects are taken apart, below."),
    _row("pixel_layout", SKIP, "SamplesPerPixel", _LAYOUT, p.colour, _LAYOUT_WHY),
    _row("pixel_layout", SKIP, "PhotometricInterpretation", _LAYOUT, p.not_monochrome, _LAYOUT_WHY),
    _row("pixel_layout", SKIP, "BitsAllocated", _LAYOUT, p.not_16_bits, _LAYOUT_WHY),
    _row("pixel_layout", SKIP, "BitsStored", _LAYOUT, p.bits_stored, "PS3.5 8.1.1."),
    _row("pixel_layout", SKIP, "HighBit", _LAYOUT, p.high_bit, "PS3.5 8.1.1."),
    _row("pixel_layout", SKIP, "PixelRepresentation", _LAYOUT, p.pixel_representation,
         "PS3.3 C.7.6.3.1: unsigned or two's complement."),
    _row("matrix_size", REJECT, "Rows", "Rows or columns are missing or outside the range.",
         p.matrix_over_caps, "Memory: 65535 x 65535 pixels are 8 GiB.", "min_matrix", "max_matrix"),
    _row("matrix_size", SKIP, "Rows", "The matrix is not square.", p.matrix_not_square,
         "No mapping of it to 512 x 512 is defined."),
    Rule(PIXEL_LENGTH, p.pixel_length, "PS3.5 8.1.1; a known file of RSNA 2019 is short."),
    _row("not_axial", SKIP, "ImageOrientationPatient",
         "The plane is unknown or too far from the axial one.", c.not_axial,
         "PS3.3 C.7.6.2.1.1; coronal and sagittal images; room for a gantry tilt of 30 degrees.",
         "max_off_axis_deg"),
    _row("rescale_missing", SKIP, "RescaleSlope",
         "Rescale slope or intercept is missing, not one finite number, or zero.", c.no_rescale,
         "PS3.3 C.11.1.1.2: without them stored values are no HU."),
    _row("rescale_type", SKIP, "RescaleType", "The rescaled values are not Hounsfield units.",
         c.rescale_not_hu, "PS3.3 C.11.1.1.2: electron density and atomic number are CT images."),
    _row("contrast_agent", SKIP, "ContrastBolusAgent",
         "A contrast agent was given; iodine looks like blood.", c.contrast_agent,
         "PS3.3 C.7.6.4; the model is meant for non-contrast CT.", "contrast"),
    _row("contrast_agent", WARN, "ContrastBolusAgent",
         "A contrast agent was given; iodine looks like blood.", c.contrast_tolerated,
         "PS3.3 C.7.6.4: some scanners name the agent of the whole examination.", "contrast"),
    _row("kvp_implausible", SKIP, "KVP", "The tube voltage is not that of a CT scanner.",
         c.kvp_implausible, "PS3.3 C.8.2.1.", "kvp_lowest", "kvp_highest"),
    _row("tilt", WARN, "ImageOrientationPatient", "The plane is further off axial than gantries"
         " tilt.", c.tilted, "PS3.3 C.7.6.2.1.1.", "max_tilt_deg"),
    _row("monochrome1", WARN, "PhotometricInterpretation",
         "The image is meant to be shown inverted; its values were used as they are.",
         p.monochrome1, "PS3.3 C.7.6.3.1.2: a display attribute; HU keep their meaning."),
    _row("contrast_suspected", WARN, "SeriesDescription",
         "A description suggests a contrast agent.", c.contrast_suspected,
         "Descriptions are free text: weak evidence."),
    _row("kvp_range", WARN, "KVP", "The tube voltage is outside the intended range.", c.kvp_range,
         "HU of blood and bone change with it; cleared products exclude the same.",
         "kvp_min", "kvp_max"),
    _row("thickness", WARN, "SliceThickness", "The slice thickness is outside the intended range.",
         c.thickness, "PS3.3 C.7.6.2: noise and partial volume.",
         "thickness_min_mm", "thickness_max_mm"),
    _row("pixel_spacing", WARN, "PixelSpacing", "The pixel spacing is outside the intended range.",
         c.pixel_spacing, "PS3.3 10.7.1.3: the size of everything in the picture.",
         "spacing_min_mm", "spacing_max_mm"),
    _row("pixel_spacing", WARN, "PixelSpacing", "The pixels are not square.", c.pixel_not_square,
         "PS3.3 10.7.1.3: the head is distorted; it is not resampled."),
    _row("kernel", WARN, "ConvolutionKernel", "The image was made with a bone or edge kernel.",
         c.sharp_kernel, "PS3.3 C.8.2.1: noise hides blood."),
    _row("body_part", WARN, "BodyPartExamined", "The body part is named and is not the head.",
         c.other_body_part, "PS3.16 annex L; the content check decides."),
    _row("body_part", WARN, "SeriesDescription", "A description names another region.",
         c.other_region, "Free text: weak evidence; the content check decides."),
    _row("paediatric", WARN, "PatientAge", "The patient is younger than the limit.", c.paediatric,
         "Cleared products are for adults.", "min_age_years"),
    _row("burned_in", WARN, "BurnedInAnnotation", "Text is burned into the image.", c.burned_in,
         "PS3.3 C.7.6.1.1.5."),
    Rule(MATRIX_RESAMPLED, p.matrix_not_512,
         "The network takes 512 x 512: the HU of each new pixel are the mean over its area when"
         " reducing and linear between pixel centres when enlarging; the field of view stays."),
)
# fmt: on

CODES: frozenset[str] = frozenset(
    [rule.violation.code for rule in RULES] + [item.code for item in FIXED]
)


def check(parsed: Parsed, caps: Caps) -> list[Violation]:
    """Every rule that the object breaks, in the order of the table.

    Of an object that is no image at all (a report, a DICOMDIR) only its class is reported: the
    other rows would only say that it has no pixels.
    """
    is_image = parsed.header.has("Rows") or parsed.header.has("PixelData")
    if not is_image and _SOP_CLASS.broken(parsed, caps):
        return [_SOP_CLASS.violation]
    found = [rule.violation for rule in RULES if rule.broken(parsed, caps)]
    return list(dict.fromkeys(found))


def is_blocking(found: list[Violation]) -> bool:
    """Whether any of them keeps the object from being scored."""
    return any(item.action in (REJECT, SKIP) for item in found)
