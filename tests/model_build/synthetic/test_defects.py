"""Tests of the defects: each hits exactly its code of the gate, and together they cover them."""

from __future__ import annotations

import io

import pydicom
import pytest

from model_build.synthetic.defects import OBJECT_DEFECTS, Defect
from service.dicom.decode import decode_slice
from service.dicom.gate import CODES
from service.dicom.limits import Caps
from service.types import Action
from tests.model_build.synthetic.valid_slice import valid_series

_VALID = valid_series()[2]
# Not a property of the bytes: a crash and a time-out of the decoder itself.
_NOT_IN_A_FILE = {"decoder_failed", "decode_timeout"}


def test_the_slice_they_start_from_is_valid() -> None:
    """Without a change the gate has nothing to say."""
    assert decode_slice(_VALID).violations == ()


@pytest.mark.parametrize("defect", OBJECT_DEFECTS, ids=lambda d: d.name)
def test_each_defect_hits_exactly_its_code(defect: Defect) -> None:
    """One code, the intended one, and a result exactly when the action allows one."""
    decoded = decode_slice(defect.make(_VALID))
    assert {item.code for item in decoded.violations} == {defect.code}
    blocked = any(v.action in (Action.REJECT, Action.SKIP) for v in decoded.violations)
    assert blocked == (decoded.slice_hu is None)


def test_every_code_of_the_gate_has_a_defect() -> None:
    """A new rule of the gate needs a defect here, and no defect names a code that is gone."""
    assert {defect.code for defect in OBJECT_DEFECTS} == CODES - _NOT_IN_A_FILE
    assert len({defect.name for defect in OBJECT_DEFECTS}) == len(OBJECT_DEFECTS)


@pytest.mark.parametrize("name", ["wraparound", "overlay_bits", "monochrome1", "window_width_0"])
def test_repaired_slices_have_the_hu_of_the_valid_one(name: str) -> None:
    """What the gate corrects, or only remarks on, keeps every Hounsfield unit."""
    defect = next(d for d in OBJECT_DEFECTS if d.name == name)
    found, valid = decode_slice(defect.make(_VALID)).slice_hu, decode_slice(_VALID).slice_hu
    assert found is not None
    assert valid is not None
    assert found.voxels_hu.tobytes() == valid.voxels_hu.tobytes()


def test_rsna_identifiers_pass_for_their_adapter_only() -> None:
    """The `ID_` identifier is refused by default and accepted with lenient identifiers."""
    body = next(d for d in OBJECT_DEFECTS if d.name == "id_series_uid").make(_VALID)
    assert decode_slice(body).slice_hu is None
    assert decode_slice(body, Caps(lenient_uids=True)).slice_hu is not None


def test_one_field_is_changed() -> None:
    """A header defect differs from the valid slice in its own element alone."""
    body = next(d for d in OBJECT_DEFECTS if d.name == "kvp_60").make(_VALID)
    one, two = (pydicom.dcmread(io.BytesIO(b)) for b in (_VALID, body))
    assert [e.keyword for e in two if e != one.get(e.tag)] == ["KVP"]
    assert len(one) == len(two)
