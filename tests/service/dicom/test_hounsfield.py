"""Stored values to HU: every correction and every trap, with values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dicom import hounsfield
from service.dicom.decode import decode_slice
from service.dicom.hounsfield import NotFinite, Scale, implausible, to_hu
from tests.factories import head_hu, make_ct_slice


def hu_of(values: list[int], dtype: str = "<i2", **scale: Any) -> tuple[list[int], list[str]]:
    """HU and correction codes of one row of stored values."""
    stored = np.array([values]).astype(dtype)
    hu, fixes = to_hu(stored, Scale(**scale))
    assert hu.dtype == np.int16
    return hu[0].tolist(), [fix.code for fix in fixes]


def test_whole_slope_and_intercept() -> None:
    """HU is value x slope + intercept."""
    assert hu_of([0, 1024, 1500], "<u2", slope=2.0, intercept=-1024.0) == ([-1024, 1024, 1976], [])


def test_halves_round_to_even() -> None:
    """A half is rounded to the even neighbour, in both directions from zero."""
    assert hu_of([1, 3, 5, -1, -3], signed=True, slope=0.5)[0] == [0, 2, 2, 0, -2]


def test_clip_at_both_ends() -> None:
    """HU end at -1024 and at what int16 holds."""
    assert hu_of([0, 65535], "<u2", intercept=-1100.0)[0] == [-1024, 32767]


def test_negative_slope() -> None:
    """A negative slope is odd but defined, and is applied."""
    assert hu_of([100, 200], "<u2", slope=-1.0, intercept=500.0)[0] == [400, 300]


def test_huge_slope_does_not_wrap() -> None:
    """65535 x 65536 is beyond int32: it ends at the upper clip instead of wrapping below zero."""
    assert hu_of([65535], "<u2", slope=65536.0)[0] == [32767]


def test_infinite_values_are_refused() -> None:
    """A slope that overflows float32 raises instead of giving a number."""
    with pytest.raises(NotFinite):
        hu_of([1], slope=1e39)


def test_zero_times_infinity_is_refused() -> None:
    """NaN, which zero times an infinite slope gives, is refused as well."""
    with pytest.raises(NotFinite):
        hu_of([0], slope=1e39)


def test_overlay_bits_are_masked() -> None:
    """Bits above BitsStored (an old overlay in bit 12) do not reach the value."""
    stored = [1000 | 1 << 12, 1000]
    expected = ([-24, -24], ["fix_bits"])
    assert hu_of(stored, "<u2", bits_stored=12, intercept=-1024.0) == expected


def test_signed_12_bit_is_sign_extended() -> None:
    """0xFFF in signed 12-bit data is -1."""
    assert hu_of([0x0FFF, 0x0800], bits_stored=12, signed=True)[0] == [-1, -1024]
    assert hu_of([0x0FFF], bits_stored=12, signed=True)[1] == ["fix_bits"]


def test_sign_extended_12_bit_is_left_alone() -> None:
    """Signed 12-bit data that carries its sign in all 16 bits needs no correction."""
    assert hu_of([-1, 100], bits_stored=12, signed=True) == ([-1, 100], [])


def test_wraparound_is_undone() -> None:
    """Unsigned 12-bit values without an offset: 3096 + 1000 wraps to 0, that is -1000 HU."""
    wrapped = hu_of([3096, 3196, 40], "<u2", bits_stored=12, intercept=0.0)
    assert wrapped == ([-1000, -900, 40], ["fix_wraparound"])


@pytest.mark.parametrize("intercept", [-1024.0, -1000.0, -100.0])
def test_ordinary_intercepts_never_count_as_wrapped(intercept: float) -> None:
    """The heuristic leaves every intercept of -100 or below unchanged."""
    hu, codes = hu_of([4095, 1024], "<u2", bits_stored=12, intercept=intercept)
    assert hu == [4095 + int(intercept), 1024 + int(intercept)]
    assert codes == []


def test_16_bit_data_never_counts_as_wrapped() -> None:
    """Only BitsStored 12 wraps at 4096."""
    assert hu_of([4095], "<u2", bits_stored=16, intercept=0.0) == ([4095], [])


def test_padding_value_is_air() -> None:
    """GE pads with -1500 outside its circle: those pixels become air, others stay."""
    assert hu_of([-1500, 30], signed=True, padding=0x10000 - 1500) == ([-1000, 30], ["fix_padding"])


def test_padding_value_follows_the_pixels_sign() -> None:
    """The padding bits 0xFF9C are -100 in signed data and 65436 in unsigned data."""
    assert hu_of([-100], signed=True, padding=0xFF9C)[0] == [-1000]
    assert hu_of([65436], "<u2", padding=0xFF9C)[0] == [-1000]


def test_padding_range_includes_both_ends() -> None:
    """PixelPaddingRangeLimit may lie on either side of the padding value."""
    values = [-1501, -1500, -1400, -1300, -1299]
    expected = [-1024, -1000, -1000, -1000, -1024]
    first, last = 0x10000 - 1500, 0x10000 - 1300
    assert hu_of(values, signed=True, padding=first, padding_limit=last)[0] == expected
    assert hu_of(values, signed=True, padding=last, padding_limit=first)[0] == expected


def test_padding_wider_than_the_stored_bits() -> None:
    """-3000 in signed 12-bit data would be masked to tissue: it is recognised before that."""
    hu, codes = hu_of([-3000, 40], bits_stored=12, signed=True, padding=0x10000 - 3000)
    assert hu == [-1000, 40]
    assert "fix_padding" in codes


def test_raw_minus_2000_is_air_without_a_tag() -> None:
    """Raw -2000 is padding even when no tag says so."""
    assert hu_of([-2000, 10], signed=True) == ([-1000, 10], ["fix_padding"])


def test_hu_minus_3024_is_air() -> None:
    """-3024 HU is padding; its neighbour is only clipped."""
    assert hu_of([-3024, -3023], signed=True) == ([-1000, -1024], ["fix_padding"])


@pytest.mark.parametrize("intercept", [-1024.0, 0.0, 1000.0])
@pytest.mark.parametrize("slope", [1.0, 2.0, -1.0, 128.0])
def test_integer_path_equals_the_float_path(slope: float, intercept: float) -> None:
    """Over all 65,536 stored values the integer arithmetic equals float32 to the bit."""
    stored = np.arange(-32768, 32768, dtype=np.int16).reshape(256, 256)
    stored = stored[stored != -2000][None, :]
    hu, _ = to_hu(stored, Scale(slope=slope, intercept=intercept, signed=True))
    exact = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    exact = np.where(exact == -3024, -1000, exact)
    assert np.array_equal(hu, np.rint(np.clip(exact, -1024, 32767)).astype(np.int16))


def test_stored_values_are_never_written_to() -> None:
    """The received bytes are the same after a conversion that corrects everything."""
    stored = np.array([[3096, 40]], dtype="<u2")
    stored.setflags(write=False)
    to_hu(stored, Scale(bits_stored=12, padding=40))
    assert stored.tolist() == [[3096, 40]]


def test_monochrome1_with_correct_hu_is_unchanged() -> None:
    """MONOCHROME1 is a display attribute: the HU are those of MONOCHROME2."""
    inverted = decode_slice(make_ct_slice(PhotometricInterpretation="MONOCHROME1")).slice_hu
    assert inverted is not None
    assert np.array_equal(inverted.voxels_hu, head_hu())


@pytest.mark.parametrize(
    ("low", "high", "wrong"),
    [
        (201, 3000, True),
        (0, 400, True),
        (0, 401, False),
        (0, 4097, True),
        (-1, 4097, False),
        (-1000, -1, True),
        (-1000, 0, False),
    ],
)
def test_implausible_ranges(low: int, high: int, wrong: bool) -> None:
    """Each limit of the HU range rule, at its edge."""
    assert bool(implausible(np.array([[low, high]], dtype=np.int16))) == wrong


EXTREMES = st.sampled_from([-32768, -3024, -2048, -2000, -1024, -1, 0, 24, 2047, 4095, 4096, 32767])
WORDS = st.none() | st.integers(0, 0xFFFF) | st.sampled_from([63536, 2000, 0, 4095])


@settings(max_examples=600, deadline=None)
@given(
    values=st.lists(EXTREMES | st.integers(-32768, 65535), min_size=1, max_size=6),
    signed=st.booleans(),
    bits_stored=st.sampled_from([2, 10, 12, 13, 15, 16]),
    slope=st.sampled_from([1.0, 2.0, 0.5]),
    intercept=st.sampled_from([-1024.0, -1000.0, -8192.0, -100.0, -3024.0, 0.0, 24.0, 3024.0, 0.5]),
    padding=WORDS,
    padding_limit=WORDS,
)
def test_the_short_way_says_what_the_general_one_does(values: list[int], **scale: Any) -> None:
    """HU and corrections are the same to the bit, whichever way is taken."""
    dtype = np.dtype("<i2" if scale["signed"] else "<u2")
    stored = np.array([values]).astype(dtype)
    shortest, fixes = to_hu(stored, Scale(**scale))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hounsfield, "_uncorrected", lambda *_: None)
        general, expected = to_hu(stored, Scale(**scale))
    assert shortest.tolist() == general.tolist()
    assert fixes == expected


def test_the_short_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain slice never reaches the general way, a padded one does."""
    monkeypatch.setattr(hounsfield, "_rescale", lambda *_: pytest.fail("the general way"))
    assert hu_of([0, 1064, 4095], "<u2", intercept=-1024.0, bits_stored=12)[0] == [-1024, 40, 3071]
    with pytest.raises(pytest.fail.Exception, match="general"):
        hu_of([-2000, 40], signed=True)
