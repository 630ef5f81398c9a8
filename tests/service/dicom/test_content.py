"""The content check: heads pass, and what only carries the tags of a head is found."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from service.dicom.content import SKIPPED, WARNED, Measures, check, measure
from service.dicom.decode import decode_slice
from service.dicom.limits import Caps, Thresholds
from tests.factories import head_hu, make_ct_slice

Hu = npt.NDArray[np.int16]
SPACING = (0.488, 0.488)
HEAD = head_hu(512)
RADIUS = np.hypot(*(np.mgrid[0:512, 0:512] - 255.5))
NOISE = np.random.default_rng(3)


def codes(hu: Hu, spacing: tuple[float, ...] | None = SPACING) -> list[str]:
    """The codes of a picture."""
    return [item.code for item in check(hu, spacing, Caps())]


def disc(radius: float, inside: float, outside: float = -1000.0) -> Hu:
    """A round body of one value."""
    return np.where(radius > RADIUS, inside, outside).astype(np.int16)


def chest() -> Hu:
    """A wide body with two lungs, a spine and ribs here and there."""
    rows, columns = np.mgrid[0:512, 0:512] - 255.5
    body = np.hypot(rows / 170, columns / 240)
    hu = np.where(body < 1, 40, -1000)
    for side in (-105, 105):
        hu[np.hypot(rows / 100, (columns - side) / 70) < 1] = -850
    hu[np.hypot(rows - 130, columns) < 25] = 500
    return hu.astype(np.int16)


def skull_of_air() -> Hu:
    """A test phantom: a skull around air."""
    return np.where(np.abs(RADIUS - 175) < 8, 900, -1000).astype(np.int16)


NO_HEADS: dict[str, Hu] = {
    "no air": np.full((512, 512), 40, np.int16),
    "empty": np.full((512, 512), -1000, np.int16),
    "noise": NOISE.integers(-1000, 1000, (512, 512)).astype(np.int16),
    "inverted": (-HEAD).astype(np.int16),
    "twice the slope": np.clip(3 * (HEAD.astype(np.int32) + 1024) - 1024, -1024, 3000).astype("i2"),
    "half the slope": ((HEAD.astype(np.int32) + 1024) // 2 - 1024).astype(np.int16),
    "water phantom": disc(200, 0.0),
    "skull of air": skull_of_air(),
    "MR numbers": np.where(RADIUS < 190, NOISE.normal(600, 60, (512, 512)), -1024).astype("i2"),
}


@pytest.mark.parametrize("name", NO_HEADS)
def test_what_is_no_head_is_skipped(name: str) -> None:
    """Pictures that no head can give."""
    assert codes(NO_HEADS[name]) == ["not_head_like"]


@pytest.mark.parametrize("name", NO_HEADS)
def test_the_tags_of_a_head_do_not_help(name: str) -> None:
    """The whole decode of a file whose every element is that of a valid slice of a head."""
    stored = NO_HEADS[name].clip(-1024).astype(np.int32) + 1024
    decoded = decode_slice(make_ct_slice(pixels=stored, BitsStored=16, HighBit=15))
    assert decoded.slice_hu is None
    assert {item.code for item in decoded.violations} <= {"not_head_like", "hu_implausible"}


@pytest.mark.parametrize("slope", ["0.5", "0.8", "1.2", "2"])
def test_a_wrong_slope_is_found(slope: str) -> None:
    """One element of the valid slice is changed, and its brain is no brain any more."""
    found = decode_slice(make_ct_slice(RescaleSlope=slope)).violations
    assert [item.code for item in found] == ["not_head_like"]


def test_a_chest_is_skipped_by_its_size() -> None:
    """A wide body at the pixel spacing of a body scan."""
    assert codes(chest(), (0.78, 0.78)) == ["not_head_like"]


@pytest.mark.parametrize("spacing", [SPACING, None, (0.5,), (0.0, 0.0)])
def test_a_head_passes_whether_its_size_is_known_or_not(spacing: tuple[float, ...] | None) -> None:
    """Without a usable pixel spacing only shares are judged."""
    assert codes(HEAD, spacing) == []


@pytest.mark.parametrize("size", [128, 200, 256, 768, 1024])
def test_a_head_passes_at_every_matrix(size: int) -> None:
    """The grid follows the matrix."""
    assert codes(head_hu(size), (250 / size, 250 / size)) == []


def test_a_vertex_slice_passes() -> None:
    """A cap of bone with hardly any brain is still a head."""
    hu = np.select([RADIUS < 40, RADIUS < 75, RADIUS < 95], [60, 900, 30], -1000)
    assert codes(hu.astype(np.int16)) == []


def test_a_skull_base_slice_passes() -> None:
    """Air cells, much bone and little brain are still a head."""
    hu = HEAD.copy()
    hu[150:250, 150:200] = hu[150:250, 320:370] = -950
    hu[260:300, 120:400] = 1200
    assert codes(hu) == []


def test_shifted_values_are_warned_of() -> None:
    """Brain of 2 HU is possible, and unusual."""
    assert codes((HEAD - 30).astype(np.int16)) == ["content_unusual"]


def test_the_setting_turns_the_skip_into_a_warning() -> None:
    """With `content` at `warn` nothing is skipped for its picture."""
    caps = Caps(thresholds=Thresholds(content="warn"))
    (found,) = check(NO_HEADS["noise"], SPACING, caps)
    assert (found.code, found.action) == ("content_unusual", "warn")


USUAL = Measures(0.5, 280.0, 12.0, 0.05, 0.7, 0.13, 0.05, 180.0, 0.97, 32.0, 1.0, True)
OUTSIDE = [
    {"air": 0.009},
    {"tissue_cm2": 0.9},
    {"tissue_cm2": 451.0},
    {"bone": 0.009},
    {"soft": 0.07},
    {"between_cm2": 841.0},
    {"ragged": 0.36},
    {"bone": 0.91},
    {"hollow": 0.61},
    {"brain_soft": 0.14},
    {"tissue_cm2": 19.0},
    {"tissue_cm2": 351.0},
    {"brain_cm2": 301.0},
    {"brain_soft": 0.34},
    {"brain_hu": 61.0},
    {"soft": 0.91},
    {"ring": 0.49},
]


@pytest.mark.parametrize("index", range(len(OUTSIDE)))
def test_each_limit_at_its_edge(index: int) -> None:
    """A usual head with one measure just outside breaks the limit of the same place."""
    limits = (*SKIPPED, *WARNED)
    assert not any(limit.broken(USUAL) for limit in limits)
    assert len(limits) == len(OUTSIDE)
    assert limits[index].broken(replace(USUAL, **OUTSIDE[index]))


def test_what_cannot_be_measured_breaks_nothing() -> None:
    """No brain has no median; an unknown size is no size."""
    unmeasured = replace(USUAL, brain_hu=float("nan"), brain_cm2=61.0)
    assert [limit.words for limit in WARNED[-3:-2] if limit.broken(unmeasured)] == []
    guessed = replace(USUAL, tissue_cm2=500.0, brain_cm2=400.0, sized=False)
    assert not any(limit.broken(guessed) for limit in (*SKIPPED, *WARNED))


def test_it_takes_less_than_a_millisecond() -> None:
    """The best of fifty: a busy machine slows the others."""
    best = min(_seconds() for _ in range(50))
    assert best < 1e-3


def _seconds() -> float:
    start = time.perf_counter()
    measure(HEAD, SPACING)
    return time.perf_counter() - start
