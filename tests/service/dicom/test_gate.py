"""Every rule of the gate, shown by changing one field of a valid slice that is read back."""

from __future__ import annotations

from typing import Any

import pytest

from service.dicom.decode import decode_slice
from service.dicom.gate import CODES, RULES
from service.dicom.limits import Caps
from service.types import Action, Kind
from tests.factories import DROP, head_hu, make_ct_slice

REJECT, SKIP, WARN, FIX = Action.REJECT, Action.SKIP, Action.WARN, Action.FIX
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ENHANCED = "1.2.840.10008.5.1.4.1.1.2.1"
SPECTRAL = ["DERIVED", "PRIMARY", "AXIAL", "VNC"]
TILT_31 = [1, 0, 0, 0, 0.857167, -0.515038]  # cos and sin of 31 degrees
TILT_29 = [1, 0, 0, 0, 0.874620, -0.484810]  # of 29 degrees
TILT_38 = [1, 0, 0, 0, 0.788011, -0.615661]  # of 38 degrees: |n_z| below 0.8

BROKEN: list[tuple[dict[str, Any], str, Action]] = [
    ({"SOPClassUID": DROP}, "identity_missing", REJECT),
    ({"SOPInstanceUID": DROP}, "identity_missing", REJECT),
    ({"StudyInstanceUID": DROP}, "identity_missing", REJECT),
    ({"SeriesInstanceUID": "1.2.x"}, "identity_missing", REJECT),
    ({"SOPInstanceUID": "1." * 40}, "identity_missing", REJECT),
    ({"SOPClassUID": SECONDARY_CAPTURE}, "sop_class", SKIP),
    ({"Modality": "MR"}, "modality", SKIP),
    ({"Modality": DROP}, "modality", SKIP),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "image_type", SKIP),
    ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, "image_type", SKIP),
    ({"ImageType": ["DERIVED", "PRIMARY", "CT_SOM5 MPR"]}, "image_type", SKIP),
    ({"ImageType": SPECTRAL}, "image_type", SKIP),
    ({"NumberOfFrames": 2}, "multi_frame", SKIP),
    ({"SOPClassUID": ENHANCED}, "multi_frame", SKIP),
    ({"SamplesPerPixel": 3}, "pixel_layout", SKIP),
    ({"BitsAllocated": 8}, "pixel_layout", SKIP),
    ({"HighBit": 15}, "pixel_layout", SKIP),
    ({"PixelRepresentation": 2}, "pixel_layout", SKIP),
    ({"PhotometricInterpretation": "RGB"}, "pixel_layout", SKIP),
    ({"Rows": 0}, "matrix_size", REJECT),
    ({"Rows": 65535}, "matrix_size", REJECT),
    ({"Columns": DROP}, "matrix_size", REJECT),
    ({"pixels": head_hu(512)[:256] + 1024}, "matrix_size", SKIP),
    ({"PixelData": DROP}, "pixel_length", REJECT),
    ({"PixelData": bytes(524_286)}, "pixel_length", REJECT),
    ({"PixelData": bytes(524_290)}, "pixel_length", REJECT),
    ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "not_axial", SKIP),
    ({"ImageOrientationPatient": TILT_38}, "not_axial", SKIP),
    ({"ImageOrientationPatient": DROP}, "not_axial", SKIP),
    ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "not_axial", SKIP),
    ({"ImageOrientationPatient": TILT_31}, "tilt", WARN),
    ({"RescaleSlope": DROP}, "rescale_missing", SKIP),
    ({"RescaleSlope": "0"}, "rescale_missing", SKIP),
    ({"RescaleSlope": b"nan"}, "rescale_missing", SKIP),
    ({"RescaleIntercept": b"1e400"}, "rescale_missing", SKIP),
    ({"RescaleIntercept": b"x"}, "rescale_missing", SKIP),
    ({"RescaleSlope": b"1e39"}, "hu_not_finite", REJECT),
    ({"RescaleType": "ED"}, "rescale_type", SKIP),
    ({"PhotometricInterpretation": "MONOCHROME1"}, "monochrome1", WARN),
    ({"ContrastBolusAgent": "IOHEXOL"}, "contrast_agent", SKIP),
    ({"SeriesDescription": "Head with contrast"}, "contrast_suspected", WARN),
    ({"ProtocolName": "CTA COW"}, "contrast_suspected", WARN),
    ({"RescaleIntercept": "1024"}, "fix_wraparound", FIX),
    ({"RescaleIntercept": "-2000", "RescaleSlope": "0.1"}, "hu_implausible", SKIP),
    ({"KVP": "60"}, "kvp_implausible", SKIP),
    ({"KVP": "80"}, "kvp_range", WARN),
    ({"SliceThickness": "12"}, "thickness", WARN),
    ({"PixelSpacing": [0.8, 0.8]}, "pixel_spacing", WARN),
    ({"PixelSpacing": [0.45, 0.5]}, "pixel_spacing", WARN),
    ({"PixelSpacing": b"x"}, "pixel_spacing", WARN),
    ({"ConvolutionKernel": "H60s"}, "kernel", WARN),
    ({"ConvolutionKernel": "BONEPLUS"}, "kernel", WARN),
    ({"BodyPartExamined": "CHEST"}, "body_part", WARN),
    ({"PatientAge": "017Y"}, "paediatric", WARN),
    ({"PatientAge": "011M"}, "paediatric", WARN),
    ({"BurnedInAnnotation": "YES"}, "burned_in", WARN),
    ({"WindowWidth": DROP}, "default_window_substituted", FIX),
    ({"pixels": head_hu(256) + 1024}, "matrix_resampled", FIX),
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
    {"WindowWidth": ["90", "2000"], "WindowCenter": ["35", "500"]},
]


def _name(value: object) -> str | None:
    return "-".join(value) if isinstance(value, dict) else None


@pytest.mark.parametrize(("change", "code", "action"), BROKEN, ids=_name)
def test_one_changed_field_breaks_its_rule(
    change: dict[str, Any], code: str, action: Action
) -> None:
    """A slice that breaks one rule is reported so, and scored only if the action allows it."""
    decoded = decode_slice(make_ct_slice(**change))
    assert (code, action) in {(item.code, item.action) for item in decoded.violations}
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


def test_every_header_rule_has_a_breaking_case() -> None:
    """The table above covers each (code, action) row of the gate."""
    rows = {(rule.violation.code, rule.violation.action) for rule in RULES}
    assert rows <= {(code, action) for _, code, action in BROKEN}


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
    assert {code for _, code, _ in BROKEN} <= CODES


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
