"""What the rules make of texts and numbers: every threshold at its border, every way to say it."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from service.dicom.decode import decode_slice
from service.dicom.limits import Caps, Thresholds
from tests.factories import make_ct_slice

NOTHING: list[str] = []


def codes(caps: Caps | None = None, **changed: Any) -> list[str]:
    """The codes of the valid slice with these fields."""
    return [item.code for item in decode_slice(make_ct_slice(**changed), caps or Caps()).violations]


def tilted(degrees: float) -> list[str]:
    """An orientation so far off the axial plane, as a gantry tilts."""
    angle = math.radians(degrees)
    return ["1", "0", "0", "0", f"{math.cos(angle):.9f}", f"{-math.sin(angle):.9f}"]


def square(spacing_mm: str) -> list[str]:
    """A pixel spacing."""
    return [spacing_mm, spacing_mm]


# threshold, element, value inside, value outside, code
BORDERS: list[tuple[str, str, Any, Any, str]] = [
    ("kvp_lowest", "KVP", "70", "69.9", "kvp_implausible"),
    ("kvp_highest", "KVP", "150", "150.1", "kvp_implausible"),
    ("kvp_min", "KVP", "100", "99.9", "kvp_range"),
    ("kvp_max", "KVP", "140", "140.1", "kvp_range"),
    ("thickness_min_mm", "SliceThickness", "0.5", "0.49", "thickness"),
    ("thickness_max_mm", "SliceThickness", "10", "10.01", "thickness"),
    ("spacing_min_mm", "PixelSpacing", square("0.3"), square("0.299"), "pixel_spacing"),
    ("spacing_max_mm", "PixelSpacing", square("0.75"), square("0.751"), "pixel_spacing"),
    ("min_age_years", "PatientAge", "018Y", "017Y", "paediatric"),
    ("max_tilt_deg", "ImageOrientationPatient", tilted(29.99), tilted(30.01), "tilt"),
    ("max_off_axis_deg", "ImageOrientationPatient", tilted(36.86), tilted(36.88), "not_axial"),
]


@pytest.mark.parametrize("border", BORDERS, ids=lambda border: border[0])
def test_each_threshold_at_its_border(border: tuple[str, str, Any, Any, str]) -> None:
    """The limit itself is inside, the next value is not."""
    _, keyword, inside, outside, code = border
    assert code not in codes(**{keyword: inside})
    assert code in codes(**{keyword: outside})


def test_every_threshold_that_is_a_number_has_its_border() -> None:
    """A new threshold comes with its test."""
    words = {"contrast", "lossy", "content"}
    assert {name for name, *_ in BORDERS} == {item.name for item in fields(Thresholds)} - words


@pytest.mark.parametrize("border", BORDERS, ids=lambda border: border[0])
def test_each_threshold_is_taken_from_the_settings(border: tuple[str, str, Any, Any, str]) -> None:
    """With the limit moved past the outside value that value is inside."""
    name, keyword, _, outside, code = border
    moved = -1.0 if "min" in name or "lowest" in name else 1000.0
    caps = Caps(thresholds=Thresholds(**{name: moved}))
    assert code not in codes(caps, **{keyword: outside})


NO_AGENT = (
    *("OHNE", "ohne KM", "NO", "NONE GIVEN", "No_Contrast", "NON CONTRAST", "w/o contrast"),
    *("WITHOUT IV CONTRAST", "SANS INJECTION", "SIN CONTRASTE", "N/A", "0", "Nativ"),
)
AGENT = (
    *("OMNIPAQUE 350", "NON-IONIC", "NON IONIC IODINE", "Iodine", "NOVOPAQUE", "SINOGRAFIN"),
    *("YES", "CONTRAST", "KM", "APPLIED"),
)
NO_CONTRAST = (
    *("HEAD NONCONTRAST", "HEAD NON-CONTRAST", "Head_WO_contrast", "KOPF OHNE KM"),
    *("CRANE SANS CONTRASTE", "HEAD WITHOUT INTRAVENOUS CONTRAST", "HEAD 5.0 H31s"),
    *("ACCIDENT HEAD", "KMH HEAD"),
)
CONTRAST = (
    *("HEAD WITH CONTRAST", "CTA_COW HEAD", "HEAD_CC", "KOPF MIT KM", "CRANE AVEC CONTRASTE"),
    *("HEAD C+", "BRAIN PERFUSION", "HEAD WITHOUT AND WITH CONTRAST", "ANGIO HEAD", "HEAD POST"),
)
SHARP = ("H60s", "H70h", "J70h", "Hr64", "BONE", "BONEPLUS", "EDGE", "LUNG", "FC81", "FC30")
SOFT = ("H31s", "H40s", "J40s", "Hr38", "STANDARD", "SOFT", "UB", "FC21", "FC64")
SCOUTS = ("LOCALIZER", "SURVIEW")
COPIES = ("SECONDARY", "REFORMATTED", "MPR", "MIP", "VRT", "3D", "MINIP", "MAXIMUM")
SPECTRAL = ("VMI", "MONOENERGETIC", "IODINE", "VNC", "VIRTUAL_NON_CONTRAST", "CBF", "MTT")


@pytest.mark.parametrize("agent", NO_AGENT)
def test_an_agent_that_is_none(agent: str) -> None:
    """Operators write that no agent was given; such a slice is not lost."""
    assert codes(ContrastBolusAgent=agent) == NOTHING


@pytest.mark.parametrize("agent", AGENT)
def test_an_agent_that_was_given(agent: str) -> None:
    """Every other text names an agent, also one that begins like a negation."""
    assert codes(ContrastBolusAgent=agent) == ["contrast_agent"]


@pytest.mark.parametrize("text", NO_CONTRAST)
def test_descriptions_without_contrast(text: str) -> None:
    """Words that only look like contrast, or deny it, are no reason to warn."""
    assert codes(SeriesDescription=text) == NOTHING
    assert codes(ProtocolName=text) == NOTHING


@pytest.mark.parametrize("text", CONTRAST)
def test_descriptions_of_contrast(text: str) -> None:
    """Also with the underscores of scanner protocols."""
    assert codes(SeriesDescription=text) == ["contrast_suspected"]
    assert codes(ProtocolName=text) == ["contrast_suspected"]


@pytest.mark.parametrize("kernel", SHARP)
def test_sharp_kernels(kernel: str) -> None:
    """Names of several makers; the second value of newer ones is a strength."""
    assert codes(ConvolutionKernel=kernel) == ["kernel"]
    assert codes(ConvolutionKernel=[kernel, "3"]) == ["kernel"]


@pytest.mark.parametrize("kernel", SOFT)
def test_soft_kernels(kernel: str) -> None:
    """Kernels for brain."""
    assert codes(ConvolutionKernel=kernel) == NOTHING


@pytest.mark.parametrize("word", [*SCOUTS, *COPIES, *SPECTRAL])
def test_image_types_that_are_no_slice(word: str) -> None:
    """The word is found as a value of its own and inside a value of a maker."""
    assert codes(ImageType=["ORIGINAL", "PRIMARY", word]) == ["image_type"]
    assert codes(ImageType=["ORIGINAL", "PRIMARY", "AXIAL", f"CT_SOM5 {word}"]) == ["image_type"]


@pytest.mark.parametrize("part", ["HEAD", "Skull", "KOPF", "HEADNECK", ""])
def test_body_parts_of_the_head(part: str) -> None:
    """Names of the head; an empty one says nothing."""
    assert codes(BodyPartExamined=part) == NOTHING


@pytest.mark.parametrize("part", ["CHEST", "CSPINE", "TSPINE", "ABDOMEN"])
def test_other_body_parts(part: str) -> None:
    """Any other name is warned of; the picture decides."""
    assert codes(BodyPartExamined=part) == ["body_part"]


@pytest.mark.parametrize("age", ["017Y", "215M", "900W", "001D"])
def test_ages_below_the_limit(age: str) -> None:
    """Days, weeks, months and years."""
    assert codes(PatientAge=age) == ["paediatric"]


@pytest.mark.parametrize("age", ["018Y", "216M", "940W", "18", ""])
def test_other_ages(age: str) -> None:
    """Old enough; what is no age string says nothing."""
    assert codes(PatientAge=age) == NOTHING
