"""Gate: the rules that an object must keep to be scored, one row of data each.

Parsed -> check -> violations, all of them in the order of the table. What is only known once the
pixels are decoded (`hu_implausible`, the fixes) is found by `decode` and lives in `violations`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from service.dicom import conditions as c
from service.dicom.limits import Caps
from service.dicom.reader import Parsed
from service.dicom.violations import FIXED, MATRIX_RESAMPLED, PIXEL_LENGTH, violation
from service.types import Action, Violation

REJECT, SKIP, WARN = Action.REJECT, Action.SKIP, Action.WARN
Condition = Callable[[Parsed, Caps], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what is reported when the condition holds."""

    violation: Violation
    broken: Condition


def _row(code: str, action: Action, keyword: str, message: str, broken: Condition) -> Rule:
    return Rule(violation(code, action, message, keyword=keyword), broken)


def _no_uid(keyword: str, parsed: Parsed, caps: Caps) -> bool:
    # RSNA 2019 removed the SOP class altogether.
    optional = caps.lenient_uids and keyword == "SOPClassUID"
    return not optional and not parsed.header.uid(keyword)


def _identity(keyword: str) -> Rule:
    message = "An identifier of the instance is missing or is not a UID."
    return _row("identity_missing", REJECT, keyword, message, partial(_no_uid, keyword))


_SOP_CLASS = _row("sop_class", SKIP, "SOPClassUID", "The object is not a CT image.", c.not_ct_class)

# fmt: off
RULES: tuple[Rule, ...] = (
    *map(_identity, ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")),
    _SOP_CLASS,
    _row("modality", SKIP, "Modality",
         "The modality is not CT.", c.not_ct_modality),
    _row("image_type", SKIP, "ImageType",
         "The image is a localizer, a secondary capture or a reformat.", c.not_a_slice),
    _row("multi_frame", SKIP, "NumberOfFrames",
         "Multi-frame objects are not classified.", c.multi_frame),
    _row("pixel_layout", SKIP, "BitsAllocated",
         "The pixels are not one 16-bit monochrome sample.", c.wrong_layout),
    _row("matrix_size", REJECT, "Rows",
         "Rows or columns are missing or outside the accepted range.", c.matrix_over_caps),
    _row("matrix_size", SKIP, "Rows",
         "The matrix is not square.", c.matrix_not_square),
    Rule(PIXEL_LENGTH, c.pixel_length),
    _row("not_axial", SKIP, "ImageOrientationPatient",
         "The plane is unknown or more than 36.9 degrees off axial.", c.not_axial),
    _row("rescale_missing", SKIP, "RescaleSlope",
         "Rescale slope or intercept is missing, not finite or zero.", c.no_rescale),
    _row("rescale_type", SKIP, "RescaleType",
         "The rescaled values are not Hounsfield units.", c.rescale_not_hu),
    _row("contrast_agent", SKIP, "ContrastBolusAgent",
         "A contrast agent was given; iodine looks like blood.", c.contrast_agent),
    _row("kvp_implausible", SKIP, "KVP",
         "The tube voltage is outside 70 to 150 kV.", c.kvp_implausible),
    _row("tilt", WARN, "ImageOrientationPatient",
         "The plane is more than 30 degrees off axial.", c.tilted),
    _row("monochrome1", WARN, "PhotometricInterpretation",
         "The image is meant to be shown inverted; its values were used as they are.",
         c.monochrome1),
    _row("contrast_suspected", WARN, "SeriesDescription",
         "A description suggests a contrast agent.", c.contrast_suspected),
    _row("kvp_range", WARN, "KVP",
         "The tube voltage is outside 100 to 140 kV.", c.kvp_range),
    _row("thickness", WARN, "SliceThickness",
         "The slice thickness is outside 0.5 to 10 mm.", c.thickness),
    _row("pixel_spacing", WARN, "PixelSpacing",
         "The pixel spacing is outside 0.3 to 0.75 mm or not square.", c.pixel_spacing),
    _row("kernel", WARN, "ConvolutionKernel",
         "The image was made with a bone or edge kernel.", c.sharp_kernel),
    _row("body_part", WARN, "BodyPartExamined",
         "The body part is named and is not the head.", c.other_body_part),
    _row("paediatric", WARN, "PatientAge",
         "The patient is younger than 18 years.", c.paediatric),
    _row("burned_in", WARN, "BurnedInAnnotation",
         "Text is burned into the image.", c.burned_in),
    Rule(MATRIX_RESAMPLED, c.matrix_not_512),
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
    return [rule.violation for rule in RULES if rule.broken(parsed, caps)]


def is_blocking(found: list[Violation]) -> bool:
    """Whether any of them keeps the object from being scored."""
    return any(item.action in (REJECT, SKIP) for item in found)
