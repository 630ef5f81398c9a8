"""Tests of the storage variety: all of it decodes to the same HU and passes the gate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from model_build.synthetic.dicom_writer import build_dataset, compress_rle, to_bytes
from model_build.synthetic.storage import (
    EXPLICIT_BIG,
    RLE,
    SIGNED_0,
    SIGNED_1024,
    UNSIGNED_1000,
    UNSIGNED_1024,
    WRAPPED,
    Form,
    Padding,
    Storage,
    draw_storage,
    outside_circle,
)
from service.dicom.decode import decode_slice
from service.types import Action, Decoded
from tests.model_build.synthetic.valid_slice import image, valid_header

_DRAWN = [draw_storage(np.random.default_rng(k)) for k in range(600)]


def _decoded(storage: Storage) -> Decoded:
    dataset = build_dataset(valid_header(storage), 2, image())
    if storage.syntax == RLE:
        compress_rle(dataset)
    return decode_slice(to_bytes(dataset))


@pytest.mark.parametrize("form", [SIGNED_0, SIGNED_1024, UNSIGNED_1000, UNSIGNED_1024, WRAPPED])
def test_every_form_decodes_to_the_image(form: Form) -> None:
    """The service reads back what was drawn; forms without room end at their lowest value."""
    found = _decoded(Storage(form=form))
    assert found.slice_hu is not None
    assert np.array_equal(found.slice_hu.voxels_hu, np.maximum(image(), form.lowest_hu))
    fixes = {item.code for item in found.violations}
    assert fixes == ({"fix_wraparound"} if form is WRAPPED else set())


def test_forms_differ_in_their_lowest_value() -> None:
    """Air ends at -1024, or at the intercept of unsigned data."""
    lowest = [form.lowest_hu for form in (SIGNED_0, UNSIGNED_1024, UNSIGNED_1000, WRAPPED)]
    assert lowest == [-1024, -1024, -1000, -1000]


@pytest.mark.parametrize(("padding", "air"), [("air", -1024), ("raw", -1000)])
def test_padding_reads_as_air(padding: Padding, air: int) -> None:
    """Outside the circle is air, inside nothing changes; raw padding is reported as a fix."""
    found = _decoded(Storage(form=SIGNED_1024, padding=padding))
    assert found.slice_hu is not None
    hu, outside = found.slice_hu.voxels_hu, outside_circle()
    assert set(hu[outside]) == {air}
    assert np.array_equal(hu[~outside], image()[~outside])
    codes = [item.code for item in found.violations]
    assert codes == (["fix_padding"] if padding == "raw" else [])


def test_drawn_storage_always_passes_the_gate() -> None:
    """No drawn combination is refused; what is remarked is on the list of the generator."""
    seen: Counter[str] = Counter()
    for storage in dict.fromkeys(_DRAWN[:120]):
        found = _decoded(storage)
        assert found.slice_hu is not None
        seen.update(item.code for item in found.violations)
        assert all(item.action in (Action.WARN, Action.FIX) for item in found.violations)
    fixes = {"fix_wraparound", "fix_padding", "default_window_substituted"}
    assert set(seen) <= fixes | {"monochrome1"}


def test_drawn_storage_covers_the_variants() -> None:
    """Forms, paddings, windows, syntaxes and attributes of the specification all occur."""
    assert len({s.form for s in _DRAWN}) == 5
    assert {s.padding for s in _DRAWN} == {"none", "air", "raw"}
    assert {len(s.centers) for s in _DRAWN} == {0, 1, 2}
    assert {"1", "0"} <= {width for s in _DRAWN for width in s.widths}
    assert all(len(s.centers) == len(s.widths) for s in _DRAWN)
    assert len({s.syntax for s in _DRAWN}) == 5
    assert {s.agent for s in _DRAWN} == {None, "", "NONE"}
    assert {s.monochrome1 for s in _DRAWN} == {True, False}


def test_raw_padding_is_never_unsigned() -> None:
    """-2000 does not exist in unsigned values."""
    assert all(s.form.signed for s in _DRAWN if s.padding == "raw")


def test_big_endian_values_are_swapped() -> None:
    """The bytes of each value are reversed, the values are not."""
    little = Storage().stored_values(image())
    big = replace(Storage(), syntax=EXPLICIT_BIG).stored_values(image())
    assert np.array_equal(little, big)
    assert little.tobytes() == big.byteswap().tobytes()
