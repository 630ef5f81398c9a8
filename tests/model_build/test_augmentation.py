"""Augmentation: each part by hand, sampling apart from applying."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model_build.augmentation import AIR_HU, SHIFT_PIXELS, Draw, apply, draw

STILL = Draw(False, (0, 0), 1.0, 0.0, 0.0, 0, 0.0, 1.0)
WINDOW = np.array([40.0, 80.0], dtype=np.float32)


def ramp() -> np.ndarray:
    """A 4 x 4 slice whose pixels are all different."""
    return np.arange(16, dtype=np.int16).reshape(4, 4)


def test_nothing_drawn_changes_nothing() -> None:
    """The neutral draw returns the slice and its window as float32."""
    voxels, window = apply(STILL, ramp(), WINDOW)
    assert voxels.dtype == window.dtype == np.float32
    assert np.array_equal(voxels, ramp())
    assert np.array_equal(window, WINDOW)


def test_mirroring_is_left_right() -> None:
    """Columns are reversed, rows stay."""
    voxels, _ = apply(replace(STILL, mirrored=True), ramp(), WINDOW)
    assert voxels[0].tolist() == [3.0, 2.0, 1.0, 0.0]


def test_shifting_brings_in_air() -> None:
    """One down and two left: the first row and the last two columns are air."""
    voxels, _ = apply(replace(STILL, shift=(1, -2)), ramp(), WINDOW)
    assert voxels[0].tolist() == [AIR_HU] * 4
    assert voxels[1].tolist() == [2.0, 3.0, AIR_HU, AIR_HU]


def test_scale_and_offset_are_of_hounsfield_units() -> None:
    """10 HU at slope 1.1 and offset 3 is 14 HU."""
    voxels, _ = apply(
        replace(STILL, scale=1.1, offset_hu=3.0), np.full((2, 2), 10, "int16"), WINDOW
    )
    np.testing.assert_allclose(voxels, 14.0, rtol=1e-6)


def test_noise_has_the_drawn_standard_deviation() -> None:
    """2 HU on a large uniform slice."""
    voxels, _ = apply(replace(STILL, noise_sd_hu=2.0), np.zeros((256, 256), "int16"), WINDOW)
    assert abs(float(voxels.std()) - 2.0) < 0.05
    assert abs(float(voxels.mean())) < 0.05


def test_the_window_jitter_keeps_a_usable_width() -> None:
    """Centre moves by a share of the new width; a width below 1 HU becomes 1."""
    _, window = apply(replace(STILL, center_shift=0.1, width_factor=2.0), ramp(), WINDOW)
    assert window.tolist() == [56.0, 160.0]
    _, narrow = apply(replace(STILL, width_factor=1e-6), ramp(), WINDOW)
    assert narrow[1] == 1.0


def test_draws_repeat_with_their_seed_and_stay_in_range() -> None:
    """The same generator state gives the same draw; shifts keep to their limit; both mirrors."""
    many = [draw(np.random.default_rng([1, k])) for k in range(200)]
    assert many[7] == draw(np.random.default_rng([1, 7]))
    assert max(abs(part) for one in many for part in one.shift) <= SHIFT_PIXELS
    assert {one.mirrored for one in many} == {True, False}


def test_the_input_is_never_written_to() -> None:
    """The cache is a memory map that every epoch reads."""
    source = ramp()
    apply(replace(STILL, shift=(1, 1), noise_sd_hu=1.0), source, WINDOW)
    assert np.array_equal(source, ramp())
