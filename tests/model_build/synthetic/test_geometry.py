"""Tests of the scan planes: positions, tilt, boxes and volumes by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model_build.synthetic.geometry import draw_geometry, head_grid
from tests.model_build.synthetic.level_head import level_geometry


def test_position_is_the_first_pixel_centre() -> None:
    """Half-millimetre pixels put the corner 255.5 pixels from the middle, one step per slice."""
    geometry = level_geometry(first_mm=-22.0)
    assert geometry.pixel_mm == 0.5
    assert geometry.position(0) == pytest.approx((-127.75, -127.75, -22.0))
    assert geometry.position(3) == pytest.approx((-127.75, -127.75, -7.0))


@pytest.mark.parametrize("tilt_deg", [0.0, 12.5, 25.0])
def test_orientation_equals_the_shear_of_the_grid(tilt_deg: float) -> None:
    """Walking along a column climbs by the sine that ImageOrientationPatient declares."""
    geometry = level_geometry(slices=3, tilt_deg=tilt_deg)
    column = geometry.orientation()[3:]
    _, y, z = head_grid(geometry).xyz
    assert z[0, -1, 0] - z[0, 0, 0] == pytest.approx(224.0 * column[2], abs=1e-3)
    assert y[0, -1, 0] - y[0, 0, 0] == pytest.approx(224.0 * column[1], abs=1e-3)


def test_projected_spacing_of_a_tilted_series_is_uniform() -> None:
    """Along the normal, slices of a tilted gantry lie thickness x cosine apart."""
    geometry = level_geometry(tilt_deg=20.0)
    row, column = np.split(np.array(geometry.orientation()), 2)
    places = np.array([geometry.position(k) for k in range(5)]) @ np.cross(row, column)
    assert np.diff(places) == pytest.approx([5.0 * math.cos(math.radians(20.0))] * 4)


def test_nodding_with_the_gantry_levels_the_slices() -> None:
    """A head pitched by the tilt is cut along its own base plane."""
    _, _, z = head_grid(level_geometry(slices=2, tilt_deg=15.0, pitch_deg=15.0)).xyz
    assert float(np.ptp(z[0])) < 1e-3


def test_subslices_average_to_the_slice_position() -> None:
    """The sub-slices of the first slice surround its table position."""
    grid = head_grid(level_geometry(slices=2, first_mm=10.0))
    assert grid.geometry.subslices == 4
    assert grid.axes[0][:4].mean() == pytest.approx(10.0)


def test_voxel_volume_by_hand() -> None:
    """1.25 x 1 x 1 mm is 0.00125 mL; a tilt of 60 degrees would halve it."""
    assert head_grid(level_geometry()).voxel_ml == pytest.approx(0.00125)
    assert head_grid(level_geometry(tilt_deg=60.0)).voxel_ml == pytest.approx(0.000625)


def test_box_holds_every_sample_of_the_region() -> None:
    """No sample inside the head-frame box lies outside the index box, even when turned."""
    geometry = level_geometry(turn_deg=7.0, lean_deg=-5.0, pitch_deg=9.0, tilt_deg=4.0)
    grid = head_grid(geometry).coarse(4.0)
    x, y, z = grid.xyz
    inside = (abs(x - 20) < 12) & (abs(y + 30) < 15) & (abs(z - 40) < 18)
    box = grid.box((8.0, -45.0, 22.0), (32.0, -15.0, 58.0))
    assert inside[box].sum() == inside.sum() > 50


def test_coarse_grid_keeps_the_end_points() -> None:
    """A coarse grid spans the same region, so that fields can be expanded back."""
    grid = head_grid(level_geometry())
    coarse = grid.coarse(4.0)
    assert all(a[0] == b[0] and a[-1] == b[-1] for a, b in zip(grid.axes, coarse.axes, strict=True))
    assert max(coarse.voxel_mm) <= 4.0


def test_drawn_series_stay_in_the_published_ranges() -> None:
    """20 to 40 slices, 200 to 260 mm, tilt up to 25 degrees."""
    drawn = [draw_geometry(np.random.default_rng(k), 105.0) for k in range(200)]
    assert all(20 <= g.slices <= 40 and 200 <= g.fov_mm <= 260 for g in drawn)
    assert all(0.0 <= g.tilt_deg <= 25.0 for g in drawn)
    assert 60 < sum(g.tilt_deg > 0 for g in drawn) < 140


@pytest.mark.parametrize("seed", range(12))
def test_the_highest_slice_cuts_the_vault(seed: int) -> None:
    """However the head is posed, the middle of the last slice lies below the top of a mean head."""
    drawn = draw_geometry(np.random.default_rng(seed), 105.0)
    grid = head_grid(drawn)
    x, y, z = (axis[-drawn.subslices // 2] for axis in grid.xyz)
    up = np.maximum(z - 18.0, 0.0) / (105.0 - 18.0)
    inside = (x / 74.0) ** 2 + (y / 91.0) ** 2 + up**2 < 1.0
    assert inside.any()


def test_crop_keeps_the_places_of_its_samples() -> None:
    """A cropped grid has the coordinates that the whole grid has in the box."""
    grid = head_grid(level_geometry(turn_deg=5.0, tilt_deg=10.0))
    box = grid.box((5.0, -20.0, 10.0), (30.0, 10.0, 40.0))
    for whole, cut in zip(grid.xyz, grid.crop(box).xyz, strict=True):
        assert np.array_equal(whole[box], cut)


def test_mirrored_boxes_hold_both_sides() -> None:
    """Samples of the region and of its mirror image at x = 0 lie in one of the boxes."""
    grid = head_grid(level_geometry(lean_deg=4.0)).coarse(4.0)
    x, y, z = grid.xyz
    wanted = (abs(abs(x) - 30) < 8) & (abs(y) < 12) & (abs(z - 30) < 9)
    found = np.zeros(grid.shape, dtype=bool)
    for box in grid.mirrored_boxes((22.0, -12.0, 21.0), (38.0, 12.0, 39.0)):
        found[box] = True
    assert wanted.sum() > 50
    assert found[wanted].all()
    assert len(grid.mirrored_boxes((-2.0, -12.0, 21.0), (38.0, 12.0, 39.0))) == 1
