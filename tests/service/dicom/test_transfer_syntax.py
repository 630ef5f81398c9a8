"""Transfer syntaxes: the accepted ones are bit-exact, the others refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from service.dicom.decode import decode_slice
from service.dicom.transfer_syntax import refusal
from service.dicom.violations import TRANSFER_SYNTAX
from service.types import Action, Kind
from tests.factories import LOSSLESS, head_hu, make_ct_slice


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_accepted_syntaxes_give_the_same_hu(syntax: str) -> None:
    """The same slice in every accepted syntax decodes to the same bits."""
    decoded = decode_slice(make_ct_slice(transfer_syntax=syntax))
    assert decoded.violations == ()
    assert decoded.slice_hu is not None
    assert np.array_equal(decoded.slice_hu.voxels_hu, head_hu())


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_signed_values_in_every_syntax(syntax: str) -> None:
    """Negative stored values keep their sign in every syntax."""
    signed = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15, "RescaleIntercept": "0"}
    decoded = decode_slice(make_ct_slice(pixels=head_hu(), transfer_syntax=syntax, **signed))
    assert decoded.slice_hu is not None
    assert np.array_equal(decoded.slice_hu.voxels_hu, head_hu())


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2"),
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
        ("1.2.840.10008.1.2.4.103", "MPEG-4"),
    ],
)
def test_registered_syntax_is_refused_by_name(syntax: str, name: str) -> None:
    """A compressed syntax is UNSUPPORTED and named from the registry."""
    (item,) = decode_slice(make_ct_slice(transfer_syntax=syntax)).violations
    assert (item.code, item.action, item.kind) == (
        "transfer_syntax",
        Action.REJECT,
        Kind.UNSUPPORTED,
    )
    assert name in item.message


@pytest.mark.parametrize("syntax", ["1.2.3.4.5", "1.2.840.10008.1.2.1.98", "CANARY"])
def test_unknown_syntax_is_not_repeated(syntax: str) -> None:
    """A syntax that DICOM did not register is refused without repeating it."""
    (item,) = decode_slice(make_ct_slice(transfer_syntax=syntax)).violations
    assert item.code == "transfer_syntax"
    assert syntax not in item.message
    assert item == TRANSFER_SYNTAX


def test_a_sop_class_is_no_transfer_syntax() -> None:
    """A registered UID of another kind is not named as a transfer syntax."""
    assert "CT" not in refusal("1.2.840.10008.5.1.4.1.1.2").message
