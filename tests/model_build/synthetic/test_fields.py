"""Tests of the scalar fields: values that follow from geometry alone."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.synthetic.fields import (
    capsule,
    ellipsoid,
    expand,
    paint,
    ramp,
    shell_noise,
    smooth_noise,
)
from model_build.synthetic.geometry import Field, head_grid
from tests.model_build.synthetic.level_head import level_geometry


def _point(x: float, y: float, z: float) -> tuple[Field, Field, Field]:
    return (
        np.array([x], dtype=np.float32),
        np.array([y], dtype=np.float32),
        np.array([z], dtype=np.float32),
    )


def test_ramp_is_half_on_the_surface() -> None:
    """A voxel cut in the middle is half tissue; one width away it is all or nothing."""
    share = ramp(np.array([-2.0, -0.5, 0.0, 0.5, 2.0]), 2.0)
    assert share.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert share.dtype == np.float32


def test_paint_mixes_in_place() -> None:
    """A quarter of 100 HU over 20 HU is 40 HU."""
    hu = np.array([20.0, 20.0], dtype=np.float32)
    paint(hu, 100.0, np.array([0.25, 1.0], dtype=np.float32))
    assert hu.tolist() == [40.0, 100.0]


def test_expand_is_exact_on_a_plane() -> None:
    """Linear interpolation loses nothing of a linear field."""
    small = np.add.outer(np.linspace(0, 6, 4), np.linspace(0, 2, 3)).astype(np.float32)
    large = expand(small, (7, 9))
    assert large == pytest.approx(np.add.outer(np.linspace(0, 6, 7), np.linspace(0, 2, 9)))


def test_smooth_noise_is_standard_and_smooth() -> None:
    """Mean 0 and SD about 1; neighbours agree, points four lengths apart do not."""
    field = smooth_noise(np.random.default_rng(0), head_grid(level_geometry(slices=8)), 5.0)
    assert abs(float(field.mean())) < 0.1
    assert 0.8 < float(field.std()) < 1.1
    near = np.corrcoef(field[:, :, :-1].ravel(), field[:, :, 1:].ravel())[0, 1]
    far = np.corrcoef(field[:, :, :-20].ravel(), field[:, :, 20:].ravel())[0, 1]
    assert near > 0.95
    assert abs(far) < 0.25


@pytest.mark.parametrize(("x", "distance"), [(0.0, 2.0), (4.0, 0.0), (8.0, -2.0)])
def test_ellipsoid_distance_along_its_axis(x: float, distance: float) -> None:
    """Zero on the surface, the smallest radius at the centre, negative outside."""
    assert ellipsoid(_point(x, 0, 0), (0, 0, 0), (4, 2, 3))[0] == pytest.approx(distance)


@pytest.mark.parametrize(
    ("place", "distance"),
    [((0, 0, 0), 1.0), ((10, 0, 0), 3.0), ((5, 4, 0), -2.0), ((14, 0, 0), -1.0)],
)
def test_capsule_distance_with_a_taper(place: tuple[float, ...], distance: float) -> None:
    """A tube of radius 1 to 3 over 10 mm has radius 2 in the middle and round ends."""
    found = capsule(_point(*place), (0, 0, 0), (10, 0, 0), (1.0, 3.0))
    assert found[0] == pytest.approx(distance)


def test_shell_noise_is_constant_along_rays() -> None:
    """Walking outwards from the middle of the brain changes little, walking around much."""
    grid = head_grid(level_geometry(slices=2, first_mm=30.0))
    field = shell_noise(np.random.default_rng(0), grid, 3.0)
    row = field[3, :, 90]  # x = 0: a ray to the back
    _, y, _ = grid.xyz
    back = row[(y[3, :, 90] > 40.0) & (y[3, :, 90] < 70.0)]
    around = field[3][(np.hypot(grid.xyz[0][3], y[3] - 5.0) - 55.0) ** 2 < 0.5]
    assert float(back.std()) < 0.4 * float(around.std())
    assert 0.7 < float(field.std()) < 1.3
