"""Resampling to the size of the network: means, interpolation and rounding by hand."""

from __future__ import annotations

import numpy as np
import pytest

from service.dicom.decode import decode_slice
from service.dicom.resample import to_slice_size
from tests.factories import head_hu, make_ct_slice


def square(rows: list[list[int]]) -> np.ndarray:
    """A small matrix in HU."""
    return np.array(rows, dtype=np.int16)


def test_the_right_size_is_returned_as_it_is() -> None:
    """Nothing is computed for a matrix that fits."""
    hu = square([[1, 2], [3, 4]])
    assert to_slice_size(hu, 2) is hu


def test_halving_takes_the_mean_of_four() -> None:
    """Four by four to two by two is the mean of each quarter."""
    hu = square([[0, 4, 8, 8], [0, 4, 8, 8], [1, 1, -6, -6], [1, 1, -6, -6]])
    assert to_slice_size(hu, 2).tolist() == [[2, 8], [1, -6]]


def test_means_round_half_to_even() -> None:
    """Means of 0.5 and 1.5 become 0 and 2."""
    hu = square([[0, 1, 1, 2], [0, 1, 1, 2], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert to_slice_size(hu, 2)[0].tolist() == [0, 2]


def test_reducing_by_a_fraction_weights_by_area() -> None:
    """Three to two: a new pixel is two thirds of its own and one third of the middle one."""
    hu = square([[30, 60, 90]] * 3)
    assert to_slice_size(hu, 2)[0].tolist() == [40, 80]


def test_enlarging_interpolates_between_centres() -> None:
    """Two to four: quarter positions between the centres, the edges held."""
    hu = square([[0, 100], [0, 100]])
    assert to_slice_size(hu, 4)[0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("count", [64, 256, 511, 513, 768, 1024])
def test_a_constant_stays_constant(count: int) -> None:
    """The weights of each new pixel sum to one at every size, extremes of int16 included."""
    for value in (-1024, 0, 37, 32767):
        hu = np.full((count, count), value, dtype=np.int16)
        result = to_slice_size(hu)
        assert result.shape == (512, 512)
        assert (result == value).all()


@pytest.mark.parametrize("count", [300, 700])
def test_rows_and_columns_are_treated_alike(count: int) -> None:
    """Resampling the transposed matrix gives the transposed result."""
    hu = head_hu(count)
    assert np.array_equal(to_slice_size(hu.T), to_slice_size(hu).T)


def test_a_resampled_slice_keeps_its_head() -> None:
    """A 768 matrix of the same head decodes to nearly the 512 one, and says so."""
    pixels = head_hu(768).astype(np.int32) + 1024
    decoded = decode_slice(make_ct_slice(pixels=pixels, PixelSpacing=[0.325, 0.325]))
    assert [item.code for item in decoded.violations] == ["matrix_resampled"]
    assert decoded.slice_hu is not None
    difference = decoded.slice_hu.voxels_hu.astype(np.int32) - head_hu(512)
    assert np.median(np.abs(difference)) <= 2
