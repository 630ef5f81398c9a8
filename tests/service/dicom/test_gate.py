"""Every rule of the gate, shown by changing one field of a valid slice that is read back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.dicom.decode import decode_slice
from service.dicom.gate import CODES, RULES
from service.dicom.limits import Caps, Thresholds
from service.dicom.pixel_conditions import VR_OF
from service.types import Action, Kind
from tests.factories import DROP, head_hu, make_ct_slice

REJECT, SKIP, WARN, FIX = Action.REJECT, Action.SKIP, Action.WARN, Action.FIX
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ENHANCED = "1.2.840.10008.5.1.4.1.1.2.1"
PLANE, INTERPRETATION = "ImageOrientationPatient", "PhotometricInterpretation"
COMPUTED = [
    ["ORIGINAL", "PRIMARY", "LOCALIZER"],
    ["DERIVED", "SECONDARY", "AXIAL"],
    ["DERIVED", "PRIMARY", "CT_SOM5 MPR"],
    ["DERIVED", "PRIMARY", "AXIAL", "VNC"],
    ["DERIVED", "PRIMARY", "AXIAL", "IODINE_MAP"],
    ["DERIVED", "PRIMARY", "AXIAL", "VMI"],
    ["DERIVED", "PRIMARY", "MIP"],
]
STORED = head_hu(512).astype(np.int32) + 1024
WRAPPED = (head_hu(512).astype(np.int32)) & 0xFFF  # 12 bits without an offset (RSNA 2019)
OVERLAID = STORED | (np.arange(512) == 7) << 13  # an old overlay in bit 13
TILT_31 = [1, 0, 0, 0, 0.857167, -0.515038]  # cos and sin of 31 degrees
TILT_29 = [1, 0, 0, 0, 0.874620, -0.484810]  # of 29 degrees
TILT_38 = [1, 0, 0, 0, 0.788011, -0.615661]  # of 38 degrees: |n_z| below 0.8

BROKEN: list[tuple[dict[str, Any], str, Action, str]] = [
    ({"SOPClassUID": DROP}, "identity_missing", REJECT, "SOPClassUID"),
    ({"SOPInstanceUID": DROP}, "identity_missing", REJECT, "SOPInstanceUID"),
    ({"StudyInstanceUID": DROP}, "identity_missing", REJECT, "StudyInstanceUID"),
    ({"SeriesInstanceUID": "1.2.x"}, "identity_missing", REJECT, "SeriesInstanceUID"),
    ({"SOPInstanceUID": "1." * 40}, "identity_missing", REJECT, "SOPInstanceUID"),
    ({"SOPClassUID": SECONDARY_CAPTURE}, "sop_class", SKIP, "SOPClassUID"),
    ({"Modality": "MR"}, "modality", SKIP, "Modality"),
    ({"Modality": "SR"}, "modality", SKIP, "Modality"),
    ({"Modality": DROP}, "modality", SKIP, "Modality"),
    *[({"ImageType": kind}, "image_type", SKIP, "ImageType") for kind in COMPUTED],
    ({"NumberOfFrames": 2}, "multi_frame", SKIP, "NumberOfFrames"),
    ({"NumberOfFrames": 0}, "multi_frame", SKIP, "NumberOfFrames"),
    ({"SOPClassUID": ENHANCED}, "functional_groups", REJECT, "PerFrameFunctionalGroupsSequence"),
    ({"SamplesPerPixel": 3}, "pixel_layout", SKIP, "SamplesPerPixel"),
    ({"PhotometricInterpretation": "RGB"}, "pixel_layout", SKIP, "PhotometricInterpretation"),
    ({"BitsAllocated": 8}, "pixel_layout", SKIP, "BitsAllocated"),
    ({"BitsAllocated": 32}, "pixel_layout", SKIP, "BitsAllocated"),
    ({"BitsStored": 17}, "pixel_layout", SKIP, "BitsStored"),
    ({"BitsStored": 0}, "pixel_layout", SKIP, "BitsStored"),
    ({"HighBit": 15}, "pixel_layout", SKIP, "HighBit"),
    ({"HighBit": DROP}, "pixel_layout", SKIP, "HighBit"),
    ({"PixelRepresentation": 2}, "pixel_layout", SKIP, "PixelRepresentation"),
    ({"Rows": 0}, "matrix_size", REJECT, "Rows"),
    ({"Rows": 65535}, "matrix_size", REJECT, "Rows"),
    ({"Columns": DROP}, "matrix_size", REJECT, "Rows"),
    ({"pixels": head_hu(512)[:256] + 1024}, "matrix_size", SKIP, "Rows"),
    ({"PixelData": DROP}, "pixel_length", REJECT, "PixelData"),
    ({"PixelData": bytes(524_286)}, "pixel_length", REJECT, "PixelData"),
    ({"PixelData": bytes(524_290)}, "pixel_length", REJECT, "PixelData"),
    ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "not_axial", SKIP, PLANE),
    ({"ImageOrientationPatient": TILT_38}, "not_axial", SKIP, PLANE),
    ({"ImageOrientationPatient": DROP}, "not_axial", SKIP, PLANE),
    ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "not_axial", SKIP, PLANE),
    ({"ImageOrientationPatient": TILT_31}, "tilt", WARN, PLANE),
    ({"RescaleSlope": DROP}, "rescale_missing", SKIP, "RescaleSlope"),
    ({"RescaleSlope": "0"}, "rescale_missing", SKIP, "RescaleSlope"),
    ({"RescaleSlope": b"nan"}, "rescale_missing", SKIP, "RescaleSlope"),
    ({"RescaleSlope": b"inf"}, "rescale_missing", SKIP, "RescaleSlope"),
    ({"RescaleSlope": b"1\\2"}, "rescale_missing", SKIP, "RescaleSlope"),
    ({"RescaleIntercept": b"1e400"}, "rescale_missing", SKIP, "RescaleSlope"),
    ({"RescaleIntercept": b"x"}, "rescale_missing", SKIP, "RescaleSlope"),
    ({"RescaleIntercept": DROP}, "rescale_missing", SKIP, "RescaleSlope"),
    ({"RescaleSlope": b"1e39"}, "hu_not_finite", REJECT, "RescaleSlope"),
    ({"RescaleType": "ED"}, "rescale_type", SKIP, "RescaleType"),
    ({"PhotometricInterpretation": "MONOCHROME1"}, "monochrome1", WARN, INTERPRETATION),
    ({"ContrastBolusAgent": "IOHEXOL"}, "contrast_agent", SKIP, "ContrastBolusAgent"),
    ({"SeriesDescription": "Head with contrast"}, "contrast_suspected", WARN, "SeriesDescription"),
    ({"ProtocolName": "CTA COW"}, "contrast_suspected", WARN, "SeriesDescription"),
    ({"pixels": WRAPPED, "RescaleIntercept": "0"}, "fix_wraparound", FIX, "RescaleIntercept"),
    ({"pixels": OVERLAID}, "fix_bits", FIX, "BitsStored"),
    ({"PixelPaddingValue": 24}, "fix_padding", FIX, "PixelPaddingValue"),
    ({"RescaleIntercept": "-2000", "RescaleSlope": "0.1"}, "hu_implausible", SKIP, "PixelData"),
    ({"RescaleSlope": "3"}, "not_head_like", SKIP, "PixelData"),
    ({"RescaleIntercept": "-1050"}, "content_unusual", WARN, "PixelData"),
    ({"LossyImageCompression": "01"}, "lossy_compression", WARN, "LossyImageCompression"),
    ({"KVP": "60"}, "kvp_implausible", SKIP, "KVP"),
    ({"KVP": "80"}, "kvp_range", WARN, "KVP"),
    ({"SliceThickness": "12"}, "thickness", WARN, "SliceThickness"),
    ({"PixelSpacing": [0.28, 0.28]}, "pixel_spacing", WARN, "PixelSpacing"),
    ({"PixelSpacing": [0.45, 0.5]}, "pixel_spacing", WARN, "PixelSpacing"),
    ({"PixelSpacing": b"x"}, "pixel_spacing", WARN, "PixelSpacing"),
    ({"ConvolutionKernel": "H60s"}, "kernel", WARN, "ConvolutionKernel"),
    ({"ConvolutionKernel": "BONEPLUS"}, "kernel", WARN, "ConvolutionKernel"),
    ({"BodyPartExamined": "CHEST"}, "body_part", WARN, "BodyPartExamined"),
    ({"SeriesDescription": "THORAX 5.0"}, "body_part", WARN, "SeriesDescription"),
    ({"PatientAge": "017Y"}, "paediatric", WARN, "PatientAge"),
    ({"PatientAge": "011M"}, "paediatric", WARN, "PatientAge"),
    ({"BurnedInAnnotation": "YES"}, "burned_in", WARN, "BurnedInAnnotation"),
    ({"WindowWidth": DROP}, "default_window_substituted", FIX, "WindowWidth"),
    ({"pixels": head_hu(256) + 1024}, "matrix_resampled", FIX, "Rows"),
]

FINE: list[dict[str, Any]] = [
    {"ContrastBolusAgent": "NONE"},
    {"ContrastBolusAgent": ""},
    {"SeriesDescription": "Head without contrast"},
    {"ProtocolName": "Head non-contrast"},
    {"ImageOrientationPatient": TILT_29},
    {"KVP": DROP},
    {"RescaleType": DROP},
    {"ImageType": DROP},
    {"SliceThickness": DROP},
    {"PixelSpacing": DROP},
    {"PatientAge": "018Y"},
    {"NumberOfFrames": 1},
    {"BodyPartExamined": "BRAIN"},
    {"ConvolutionKernel": "H40s"},
    {"SeriesDescription": "HEAD NECK 5.0"},
    {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]},
    {"WindowWidth": "00090", "WindowCenter": "00035"},
    {"LossyImageCompression": "00"},
    {"WindowWidth": ["90", "2000"], "WindowCenter": ["35", "500"]},
]


def _name(value: object) -> str | None:
    return "-".join(value) if isinstance(value, dict) else None


@pytest.mark.parametrize(("change", "code", "action", "keyword"), BROKEN, ids=_name)
def test_one_changed_field_breaks_its_rule(
    change: dict[str, Any], code: str, action: Action, keyword: str
) -> None:
    """A slice that breaks one rule is reported so, and scored only if the action allows it."""
    decoded = decode_slice(make_ct_slice(**change))
    found = {(item.code, item.action, item.keyword) for item in decoded.violations}
    assert (code, action, keyword) in found
    blocked = any(item.action in (REJECT, SKIP) for item in decoded.violations)
    assert blocked == (decoded.slice_hu is None)
    if action in (WARN, FIX):
        assert not blocked


@pytest.mark.parametrize("change", FINE, ids=_name)
def test_a_harmless_field_breaks_nothing(change: dict[str, Any]) -> None:
    """Values that look like a rule's case but are not pass without any violation."""
    decoded = decode_slice(make_ct_slice(**change))
    assert decoded.violations == ()
    assert decoded.slice_hu is not None


# Shown with other bytes or settings: below and in test_pixel_conditions.
ELSEWHERE = {("contrast_agent", WARN, "ContrastBolusAgent")}
ELSEWHERE |= {("wrong_vr", REJECT, keyword) for keyword in VR_OF}


def test_every_header_rule_has_a_breaking_case() -> None:
    """The table above covers each (code, action, element) row of the gate."""
    found = [rule.violation for rule in RULES]
    rows = {(item.code, item.action, item.keyword) for item in found}
    assert rows - {(code, *rest) for _, code, *rest in BROKEN} == ELSEWHERE


def test_every_rule_says_when_and_why() -> None:
    """No row of the documentation is empty."""
    assert [rule.violation.code for rule in RULES if not (rule.when and rule.reason)] == []


def test_contrast_may_be_tolerated() -> None:
    """With the setting `contrast` at `warn` a named agent is a warning and the slice is scored."""
    caps = Caps(thresholds=Thresholds(contrast="warn"))
    decoded = decode_slice(make_ct_slice(ContrastBolusAgent="IOHEXOL"), caps)
    assert [(item.code, item.action) for item in decoded.violations] == [("contrast_agent", WARN)]
    assert decoded.slice_hu is not None


@pytest.mark.parametrize(
    ("limits", "change", "code"),
    [
        ({"kvp_max": 110.0}, {}, "kvp_range"),
        ({"kvp_highest": 110.0}, {}, "kvp_implausible"),
        ({"thickness_max_mm": 4.0}, {}, "thickness"),
        ({"spacing_max_mm": 0.4}, {}, "pixel_spacing"),
        ({"min_age_years": 60.0}, {}, "paediatric"),
        ({"max_tilt_deg": 28.0}, {PLANE: TILT_29}, "tilt"),
        ({"max_off_axis_deg": 28.0}, {PLANE: TILT_29}, "not_axial"),
    ],
)
def test_thresholds_decide(limits: dict[str, float], change: dict[str, Any], code: str) -> None:
    """A changed threshold makes a rule of a value that breaks none by default."""
    body = make_ct_slice(**change)
    assert decode_slice(body).violations == ()
    caps = Caps(thresholds=Thresholds(**limits))
    assert [item.code for item in decode_slice(body, caps).violations] == [code]


def test_all_violations_are_collected() -> None:
    """Three broken rules give three violations, worst meaning included."""
    body = make_ct_slice(Modality="MR", KVP="60", PatientAge="010Y")
    codes = [item.code for item in decode_slice(body).violations]
    assert codes == ["modality", "kvp_implausible", "paediatric"]


def test_violation_names_the_tag_and_never_the_value() -> None:
    """A violation carries keyword and tag; the offending value appears nowhere in it."""
    (item,) = decode_slice(make_ct_slice(ContrastBolusAgent="CANARY77")).violations
    assert (item.keyword, item.tag) == ("ContrastBolusAgent", "0018,0010")
    assert item.kind is Kind.NOT_ASSESSABLE
    assert "CANARY77" not in repr(item)


def test_codes_are_closed() -> None:
    """Every code of the tests is in the published set, which metrics use as labels."""
    assert {code for _, code, *_ in BROKEN} <= CODES


def test_an_object_without_pixels_is_reported_by_its_class_alone() -> None:
    """A report has no rescale or matrix, so only its SOP class is said to be wrong."""
    empty = dict.fromkeys(("PixelData", "Rows", "Columns", "RescaleSlope"), DROP)
    body = make_ct_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", **empty)
    assert [item.code for item in decode_slice(body).violations] == ["sop_class"]


def test_lenient_uids_accept_the_rsna_identifiers() -> None:
    """Identifiers of RSNA 2019 are refused when serving and accepted by its adapter's caps."""
    change = {"SOPInstanceUID": "ID_6431af929", "SOPClassUID": DROP}
    assert decode_slice(make_ct_slice(**change)).slice_hu is None
    decoded = decode_slice(make_ct_slice(**change), Caps(lenient_uids=True))
    assert decoded.slice_hu is not None
    assert decoded.identity.sop_instance_uid == "ID_6431af929"
