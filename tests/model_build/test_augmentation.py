"""Augmentation: each part by hand, sampling apart from applying."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model_build.augmentation import AIR_HU, GRAINS, Draw, apply, coverage, draw
from model_build.strengths import STRENGTHS

STILL = Draw()
WINDOW = np.array([40.0, 80.0], dtype=np.float32)
STANDARD = STRENGTHS["standard"]


def spot(row: int, column: int, size: int = 64) -> np.ndarray:
    """Air with a square of 4 x 4 pixels of 100 HU whose first corner is given."""
    picture = np.full((size, size), AIR_HU, dtype=np.int16)
    picture[row : row + 4, column : column + 4] = 100
    return picture


def place_of(picture: torch.Tensor) -> list[float]:
    """Mean row and column of what is no air."""
    found: list[float] = torch.nonzero(picture > AIR_HU / 2).float().mean(dim=0).tolist()
    return found


def test_nothing_drawn_changes_nothing() -> None:
    """The neutral draw returns the slice and its window as float32."""
    picture = spot(10, 20)
    voxels, window = apply(STILL, picture, WINDOW)
    assert voxels.dtype == window.dtype == torch.float32
    assert np.array_equal(voxels.numpy(), picture)
    assert window.tolist() == WINDOW.tolist()
    nothing = draw(np.random.default_rng(0), STRENGTHS["none"])
    # Grain and seed are of a noise that is not there.
    assert replace(nothing, grain=STILL.grain, seed=STILL.seed) == STILL


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"mirrored": True}, [11.5, 41.5]),
        ({"shift": (0.25, -0.125)}, [19.5, 17.5]),
        ({"turn_deg": 90.0}, [21.5, 51.5]),
        ({"zoom": 0.5}, [21.5, 26.5]),
        ({"mirrored": True, "turn_deg": 90.0, "shift": (0.25, 0.0)}, [49.5, 51.5]),
    ],
    ids=[
        "mirror is left-right",
        "down and left",
        "a quarter turn clockwise",
        "smaller",
        "in this order",
    ],
)
def test_geometry(change: dict[str, object], expected: list[float]) -> None:
    """A spot about (11.5, 21.5) of 64 x 64 lands where the draw says; its mask with it."""
    chosen = replace(STILL, **change)
    voxels, _ = apply(chosen, spot(10, 20), WINDOW)
    assert place_of(voxels) == pytest.approx(expected, abs=0.6)
    mask = (spot(10, 20) > 0).astype(np.uint8) * 3
    maps = coverage(chosen, mask, 5)
    rows, columns = (torch.arange(8.0) * 8 + 3.5 for _ in range(2))
    total = maps[2].sum()
    centre = [
        float((maps[2].sum(dim=1) * rows).sum() / total),
        float((maps[2].sum(dim=0) * columns).sum() / total),
    ]
    assert centre == pytest.approx(expected, abs=4.5)


def test_neighbours_move_together() -> None:
    """Three slices in, three out, each moved alike; noise is each one's own."""
    chosen = replace(STILL, turn_deg=10.0, noise_hu=2.0)
    three = np.stack([spot(10, 20)] * 3)
    voxels, _ = apply(chosen, three, WINDOW)
    assert voxels.shape == (3, 64, 64)
    assert place_of(voxels[0]) == place_of(voxels[2])
    assert not torch.equal(voxels[0], voxels[1])


def test_coverage_counts_shares_of_cells() -> None:
    """A 4 x 4 spot in one cell covers a quarter; an unknown subtype is `any` alone."""
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[8:12, 16:20], mask[40:48, 40:48] = 1, 6
    maps = coverage(STILL, mask, 5)
    assert maps.shape == (6, 8, 8)
    assert float(maps[0, 1, 2]) == pytest.approx(0.25)
    assert float(maps[5, 1, 2]) == pytest.approx(0.25)
    assert float(maps[5, 5, 5]) == 1.0
    assert float(maps[:5].sum()) == pytest.approx(0.25)


def test_slope_and_offset_are_of_hounsfield_units() -> None:
    """10 HU at slope 1.1 and offset 3 is 14 HU."""
    flat = np.full((8, 8), 10, dtype=np.int16)
    voxels, _ = apply(replace(STILL, slope=1.1, offset_hu=3.0), flat, WINDOW)
    np.testing.assert_allclose(voxels, 14.0, rtol=1e-6)


def test_noise_has_the_drawn_standard_deviation() -> None:
    """2 HU on a large uniform slice; the coarser the grain, the more alike are neighbours."""
    flat, alike = np.zeros((256, 256), dtype=np.int16), []
    for grain in GRAINS:
        voxels, _ = apply(replace(STILL, noise_hu=2.0, grain=grain, seed=3), flat, WINDOW)
        assert abs(float(voxels.std()) - 2.0) < 0.1
        alike.append(float((voxels[:, 1:] * voxels[:, :-1]).mean()) / 4.0)
    assert abs(alike[0]) < 0.02
    assert alike == sorted(alike)
    assert alike[-1] > 0.7


def test_blur_keeps_the_sum_and_lowers_the_peak() -> None:
    """A sharp spot of 100 HU above its surroundings spreads."""
    picture = spot(30, 30)
    voxels, _ = apply(replace(STILL, blur_pixels=1.2), picture, WINDOW)
    assert float(voxels.sum()) == pytest.approx(float(picture.sum()), rel=1e-4)
    assert float(voxels.max()) < 60


def test_distortions_move_the_border_and_not_the_centre() -> None:
    """Optical distortion grows with the radius; a grid distortion depends on its seed."""
    chosen = replace(STILL, radial=0.2)
    assert place_of(apply(chosen, spot(30, 30), WINDOW)[0]) == pytest.approx([31.5, 31.5], abs=0.3)
    assert place_of(apply(chosen, spot(4, 4), WINDOW)[0])[0] > 7
    first, second = (
        apply(replace(STILL, wobble=0.05, seed=seed), spot(20, 20), WINDOW)[0] for seed in (1, 2)
    )
    assert not torch.equal(first, second)


def test_the_window_jitter_keeps_a_usable_width() -> None:
    """Centre moves by a share of the new width; a width below 1 HU becomes 1."""
    _, window = apply(replace(STILL, center_shift=0.1, width_factor=2.0), spot(1, 1), WINDOW)
    assert window.tolist() == [56.0, 160.0]
    _, narrow = apply(replace(STILL, width_factor=1e-6), spot(1, 1), WINDOW)
    assert float(narrow[1]) == 1.0


def test_draws_repeat_with_their_seed_and_stay_in_range() -> None:
    """The same generator state gives the same draw; every range is kept and used."""
    many = [draw(np.random.default_rng([1, k]), STANDARD) for k in range(300)]
    assert many[7] == draw(np.random.default_rng([1, 7]), STANDARD)
    assert 13 < max(abs(one.turn_deg) for one in many) <= STANDARD.turn_deg
    assert 0.09 < max(abs(part) for one in many for part in one.shift) <= STANDARD.shift
    assert {one.mirrored for one in many} == {True, False}
    assert 0.25 < np.mean([one.blur_pixels > 0 for one in many]) < 0.45


def test_the_input_is_never_written_to() -> None:
    """The cache is a memory map that every epoch reads."""
    source = spot(10, 20)
    apply(replace(STILL, turn_deg=5.0, noise_hu=1.0, slope=2.0), source, WINDOW)
    assert np.array_equal(source, spot(10, 20))
