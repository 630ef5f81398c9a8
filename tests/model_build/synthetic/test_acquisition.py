"""Tests of the scanner: partial volume, point spread, noise and artefacts in water."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_build.synthetic.acquisition import (
    Acquisition,
    Scanner,
    beam_hardening,
    draw_acquisition,
    slice_profile,
)
from model_build.synthetic.artefacts import bone_glare
from model_build.synthetic.geometry import Field, head_grid
from tests.model_build.synthetic.level_head import level_geometry

_QUIET = Acquisition(
    kvp=120,
    mas=300,
    noise_hu=4.0,
    grain_px=(0.75, 0.75),
    grain_share=0.55,
    kernel="STANDARD",
    sharpen=0.0,
    psf_mm=0.5,
    offset_hu=0.0,
    contrast=1.0,
    cupping_hu=-3.0,
    rim_hu=0.0,
    band_hu=-20.0,
    starve_hu=0.0,
    metal_mm=None,
    motion=None,
    holder=None,
    glare=(0.0, 0.0, 0.0),
)
_GRID = head_grid(level_geometry(slices=2))


def _water() -> Field:
    return np.zeros(_GRID.shape[1:], dtype=np.float32)


def _expose(index: int = 0, **change: object) -> np.ndarray:
    scanner = Scanner(replace(_QUIET, **change), _GRID)  # type: ignore[arg-type]
    return scanner.expose(np.random.default_rng(0), index, _water()).astype(np.float32)


def test_slice_profile_averages_its_own_subslices() -> None:
    """Bone in one of four sub-slices of 5 mm reads a quarter of its density."""
    field = np.zeros((8, 2, 2), dtype=np.float32)
    field[1] = 1000.0
    mean = slice_profile(field, level_geometry(slices=2))
    assert mean[:, 0, 0].tolist() == [250.0, 0.0]


def test_point_spread_keeps_water_level() -> None:
    """Water stays 0 HU inside the grid and air is -1000 HU outside of it."""
    image = Scanner(_QUIET, _GRID).project(_water())
    assert float(abs(image[100:400, 150:350]).max()) < 0.01
    assert image[2, 2] == -1000.0


@pytest.mark.parametrize("offset", [(0.0, 0.0), (8.0, -5.0)])
def test_a_dot_lands_on_its_pixel(offset: tuple[float, float]) -> None:
    """With 0.5 mm pixels, 10 mm right of and 20 mm behind the head centre is 20 and 40 pixels."""
    grid = head_grid(level_geometry(slices=2, offset_mm=offset))
    plane = np.full(grid.shape[1:], -1000.0, dtype=np.float32)
    plane[np.argmin(abs(grid.axes[1] - 20.0)), np.argmin(abs(grid.axes[2] - 10.0))] = 1000.0
    image = Scanner(_QUIET, grid).project(plane)
    row, column = np.unravel_index(int(image.argmax()), image.shape)
    assert row == pytest.approx(255.5 + 2 * (20.0 + offset[1]), abs=1.0)
    assert column == pytest.approx(255.5 + 2 * (10.0 + offset[0]), abs=1.0)


@pytest.mark.parametrize("noise_hu", [2.5, 4.0, 7.0])
def test_noise_has_the_requested_sd(noise_hu: float) -> None:
    """Midway to the skull the SD is the requested one; the centre is louder."""
    image = _expose(noise_hu=noise_hu)
    y, x = np.mgrid[:512, :512] * 0.5 - 127.75
    reach = np.hypot(x, y)
    ring = image[(reach > 63) & (reach < 71)]
    assert float(ring.std()) == pytest.approx(noise_hu, rel=0.05)
    assert float(image[reach < 25].std()) > 1.12 * noise_hu


def test_noise_is_band_passed() -> None:
    """Neighbouring pixels agree, pixels four apart oppose: the texture of filtered CT noise."""
    image = _expose()[100:400, 150:350]
    near = np.corrcoef(image[:, :-1].ravel(), image[:, 1:].ravel())[0, 1]
    apart = np.corrcoef(image[:, :-4].ravel(), image[:, 4:].ravel())[0, 1]
    assert 0.3 < near < 0.8
    assert apart < 0.0


def test_output_is_clipped_whole_numbers() -> None:
    """Metal saturates at 3071 and nothing lies below -1024."""
    grid = head_grid(level_geometry(slices=2))
    plane = np.full(grid.shape[1:], 9000.0, dtype=np.float32)
    image = Scanner(_QUIET, grid).expose(np.random.default_rng(0), 0, plane)
    assert image.dtype == np.int16
    assert image.max() == 3071
    assert image.min() >= -1024


def test_beam_hardening_darkens_only() -> None:
    """Cupping reaches its full loss in the middle; the band lies between the petrous bones."""
    grid = head_grid(level_geometry(slices=12))
    depth = np.full(grid.shape, 40.0, dtype=np.float32)
    shade = beam_hardening(_QUIET, grid, depth, np.zeros((12, *grid.shape[1:]), np.float32))
    assert float(shade.max()) <= 0.0
    assert shade[-1, 116, 90] == pytest.approx(-3.0, abs=0.1)
    lowest = np.unravel_index(int(shade.argmin()), shade.shape)
    assert float(shade.min()) < -15.0
    assert abs(float(grid.axes[0][int(lowest[0]) * 4 + 2]) + 4.0) < 5.0


def test_glare_fades_from_bone_and_adds_up_between_walls() -> None:
    """Tissue is brighter next to bone, more so between two walls; without a share it stays."""
    planes = np.zeros((5, 90, 90), dtype=np.float32)
    planes[:, :, 40:47] = 1000.0
    one = bone_glare((0.04, 0.03, 0.01), planes, (5.0, 1.0, 1.0))
    assert one.shape == planes.shape
    along = one[2, 45, [49, 54, 60, 75]]
    assert np.all(np.diff(along) < 0)
    assert 8.0 < float(along[0]) < 30.0
    assert float(along[-1]) < 3.0
    planes[:, :, 74:81] = 1000.0
    two = bone_glare((0.04, 0.03, 0.01), planes, (5.0, 1.0, 1.0))
    assert float(two[2, 45, 60]) > 1.5 * float(one[2, 45, 60])
    assert not bone_glare((0.0, 0.0, 0.0), planes, (5.0, 1.0, 1.0)).any()


def test_glare_knows_the_size_of_a_voxel() -> None:
    """The same bone in pixels of half the size glares at the same places in mm."""
    coarse = np.zeros((3, 60, 60), dtype=np.float32)
    coarse[:, :, 20:26] = 800.0
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    shares = (0.0, 0.03, 0.0)
    wide = bone_glare(shares, coarse, (5.0, 1.0, 1.0))[1, 30, [30, 36, 42]]
    close = bone_glare(shares, fine, (5.0, 0.5, 0.5))[1, 60, [60, 72, 84]]
    assert close == pytest.approx(wide, abs=0.6)


def test_metal_streaks_only_near_the_clip() -> None:
    """A clip at the first slice throws rays there and leaves a slice two levels up alone."""
    grid = head_grid(level_geometry(slices=4))
    place = (0.0, 0.0, float(grid.axes[0][0]))
    rays, clean = (Scanner(replace(_QUIET, metal_mm=m), grid) for m in (place, None))
    plane = np.zeros(grid.shape[1:], dtype=np.float32)
    for index, differs in ((0, True), (3, False)):
        one, two = (s.expose(np.random.default_rng(0), index, plane) for s in (rays, clean))
        spread = abs(one.astype(int) - two)[200:300, 200:300]
        if differs:
            assert spread.max() > 2000
        assert (float(np.median(spread)) > 10) is differs


def test_motion_doubles_the_edge() -> None:
    """A blend with a copy shifted by six rows or columns blurs the border of the grid."""
    moved, still = _expose(motion=(0, 1, 6)), _expose()
    assert float(abs(moved - still)[256, :].max() + abs(moved - still)[:, 256].max()) > 300
    assert np.array_equal(_expose(motion=(5, 6, 6)), still)


def test_offset_and_contrast_move_soft_tissue_only() -> None:
    """A calibration error of 3 HU shifts water and not air; contrast scales around 20 HU."""
    shifted, plain = _expose(offset_hu=3.0), _expose()
    assert float((shifted - plain)[200:300, 200:300].mean()) == pytest.approx(3.0, abs=0.05)
    assert np.array_equal(shifted[:4, :4], plain[:4, :4])
    flat = _expose(contrast=1.1)
    assert float((flat - plain)[200:300, 200:300].mean()) == pytest.approx(-2.0, abs=0.05)


def test_wide_grain_makes_smooth_noise_of_the_same_strength() -> None:
    """A coarser reconstruction keeps the SD and raises the correlation two pixels apart."""
    two_apart = []
    for grain in (0.7, 1.2):
        image = _expose(grain_px=(grain, grain), grain_share=0.3)[226:286, 180:330]
        assert float(image.std()) == pytest.approx(4.0 * 1.2, rel=0.08)
        two_apart.append(np.corrcoef(image[:, :-2].ravel(), image[:, 2:].ravel())[0, 1])
    assert two_apart[1] > two_apart[0] + 0.2


def test_drawn_scans_stay_in_range() -> None:
    """Noise 2 to 8 HU, offset within 3 HU; about 3 % metal, 6 % motion, 60 % holders."""
    geometry = level_geometry()
    drawn = [draw_acquisition(np.random.default_rng(k), geometry) for k in range(800)]
    assert all(2.0 <= a.noise_hu <= 8.0 and 100 <= a.kvp <= 140 for a in drawn)
    assert all(abs(a.offset_hu) <= 3.0 for a in drawn)
    assert 0.01 < np.mean([a.metal_mm is not None for a in drawn]) < 0.05
    assert 0.035 < np.mean([a.motion is not None for a in drawn]) < 0.09
    assert 0.54 < np.mean([a.holder is not None for a in drawn]) < 0.66
