"""Tests of one series: random streams, truth rows and what a twin shares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_build.synthetic.labels import ABSENT, Finding
from model_build.synthetic.plan import draw_plan
from model_build.synthetic.series import (
    Phantom,
    SeriesRequest,
    SliceTruth,
    _head,
    build_phantom,
    scan,
    slice_id,
    stream,
    truth_columns,
    truth_row,
)
from service.types import LABELS

_REQUEST = SeriesRequest(
    index=2, set_seed=9, patient_seed=77, bleeding=True, mode="training", slices=3
)
_SEEN = Finding(40.0, 55.0, 6.0, True)
_FAINT = Finding(5.0, 55.0, 6.0, True)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """A short bleeding series."""
    return build_phantom(_REQUEST)


def test_twin_has_the_same_anatomy_bytes(phantom: Phantom) -> None:
    """Without lesions the same patient seed gives the same head, planes, scan and storage."""
    _head.cache_clear()  # built anew, not handed over
    twin = build_phantom(replace(_REQUEST, bleeding=False, index=5))
    assert twin.anatomy is not phantom.anatomy
    assert twin.anatomy.hu.tobytes() == phantom.anatomy.hu.tobytes()
    assert twin.anatomy.grid.geometry == phantom.anatomy.grid.geometry
    assert twin.acquisition == phantom.acquisition
    assert twin.storage == phantom.storage
    assert twin.plan == ()
    assert twin.bled.hu.tobytes() == twin.anatomy.hu.tobytes()


def test_another_lesion_mix_leaves_the_anatomy_unchanged(phantom: Phantom) -> None:
    """The natural mix draws other lesions into the very same head."""
    _head.cache_clear()
    other = build_phantom(replace(_REQUEST, mode="natural"))
    assert other.plan != phantom.plan
    assert other.anatomy.hu.tobytes() == phantom.anatomy.hu.tobytes()


def test_a_second_exam_has_its_own_bleeds_scanner_and_noise(phantom: Phantom) -> None:
    """The same head, which neither exam writes to."""
    before = phantom.anatomy.hu.tobytes()
    second = build_phantom(replace(_REQUEST, exam=1, index=9))
    assert second.plan != phantom.plan
    assert second.acquisition != phantom.acquisition
    images = [next(scan(exam))[0] for exam in (phantom, second)]
    assert not np.array_equal(*images)
    assert second.anatomy.hu.tobytes() == before == phantom.anatomy.hu.tobytes()


def test_lesions_do_not_repeat_the_numbers_of_the_anatomy(phantom: Phantom) -> None:
    """The plan comes from the lesion stream; from the anatomy stream it would follow the age."""
    assert phantom.plan == draw_plan(stream(77, 2, 0), "training")
    assert phantom.plan != draw_plan(stream(77, 0), "training")


def test_twin_has_its_own_noise(phantom: Phantom) -> None:
    """A twin is a second scan: same head, other noise."""
    twin = build_phantom(replace(_REQUEST, bleeding=False))
    one = next(scan(replace(phantom, bled=twin.bled)))[0]
    two = next(scan(twin))[0]
    assert not np.array_equal(one, two)
    head = (one > 0) & (two > 0)
    assert abs(float((one.astype(int) - two)[head].mean())) < 0.5


def test_mask_holds_what_the_twin_lacks(phantom: Phantom) -> None:
    """Image minus twin is blood inside the mask and noise outside of it."""
    twin = build_phantom(replace(_REQUEST, bleeding=False))
    inside, outside = [], []
    for (one, mask, _), (two, none, _) in zip(scan(phantom), scan(twin), strict=True):
        gap = one.astype(int) - two
        inside.append(gap[mask > 0])
        outside.append(gap[(mask == 0) & (two > 0) & (two < 80)])
        assert not none.any()
    bleed, rest = np.concatenate(inside), np.concatenate(outside)
    assert bleed.size > 200
    assert abs(float(bleed.mean())) > 5.0 * abs(float(rest.mean()))


def test_scan_repeats_exactly(phantom: Phantom) -> None:
    """Two passes over a phantom give the same images and the same truth."""
    first, second = list(scan(phantom)), list(scan(phantom))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))
    assert [a[2].labels for a in first] == [b[2].labels for b in second]
    assert [truth.index for *_, truth in first] == [0, 1, 2]


def test_any_is_the_or_of_the_subtypes() -> None:
    """A slice with one subtype has two ones; a faint lesion alone has none."""
    seen = SliceTruth("ID_0", 0, 0.0, (ABSENT, _SEEN, ABSENT, ABSENT, _FAINT))
    assert seen.labels == (0, 1, 0, 0, 0, 1)
    assert seen.subvisible == 1
    faint = SliceTruth("ID_0", 0, 0.0, (_FAINT, ABSENT, ABSENT, ABSENT, ABSENT))
    assert faint.labels == (0, 0, 0, 0, 0, 0)
    assert faint.subvisible == 1


def test_truth_row_matches_its_header(phantom: Phantom) -> None:
    """Every column has a value at its name, empty only for a mean that does not exist."""
    *_, truth = next(scan(phantom))
    row = dict(zip(truth_columns(), truth_row(phantom, truth), strict=True))
    assert row["id"] == truth.slice_id
    assert row["phantom_seed"] == f"{77:016x}"
    assert row["kvp"] == str(phantom.acquisition.kvp)
    assert tuple(int(row[name]) for name in LABELS) == truth.labels
    assert all(value for name, value in row.items() if not name.endswith("mean_hu"))


def test_slice_ids_never_collide_in_a_set() -> None:
    """Nine hexadecimal digits, distinct for 400 series of 40 slices."""
    names = {slice_id(9, series, index) for series in range(400) for index in range(40)}
    assert len(names) == 16_000
    assert all(len(name) == 12 and name.startswith("ID_") for name in names)
    assert slice_id(9, 0, 0) != slice_id(10, 0, 0)


def test_streams_are_independent() -> None:
    """Drawing more from one stream does not move another."""
    greedy, calm = stream(5, 0), stream(5, 1)
    greedy.random(1000)
    assert calm.random() == stream(5, 1).random()
    assert stream(5, 0).random() != stream(5, 1).random()
