"""Outliers: distances by hand, a limit from other patients, what is far is flagged."""

from __future__ import annotations

import numpy as np
import pytest

from model_build import intervals, outliers


def usual(count: int, seed: int, width: int = 8) -> np.ndarray:
    """Correlated embeddings of one cloud."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(width, width))
    return (rng.normal(size=(count, width)) @ mix).astype(np.float32)


def patients(count: int) -> list[str]:
    """Two slices of each."""
    return [f"p{k // 2:04d}" for k in range(count)]


def test_distance_by_hand() -> None:
    """Variances 4 and 1: two along the first axis is one away, three along the second three."""
    gate = outliers.Gate(np.array([1.0, 0.0]), np.diag([0.25, 1.0]), 9.0)
    found = gate.distances(np.array([[1.0, 0.0], [3.0, 0.0], [1.0, -3.0]]))
    np.testing.assert_allclose(found, [0.0, 1.0, 3.0])


def test_half_a_percent_of_usual_slices_is_flagged() -> None:
    """On slices that took no part in the fit, about the share that the limit promises."""
    gate = outliers.fit(usual(4000, 0), patients(4000))
    assert gate is not None
    share = (gate.distances(usual(20_000, 1)) > gate.limit).mean()
    assert 0.002 < share < 0.012


def test_the_covariance_counts() -> None:
    """A step along the narrow axis is farther than the same step along the wide one."""
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(2000, 2)) * [10.0, 0.5]
    gate = outliers.fit(cloud, patients(2000))
    assert gate is not None
    wide, narrow = gate.distances(np.array([[5.0, 0.0], [0.0, 5.0]]))
    assert wide < 1.0 < 5.0 < narrow


def test_the_limit_is_that_of_the_other_half() -> None:
    """Patients of even place give mean and covariance, the others the limit."""
    cloud, keys = usual(400, 0), patients(400)
    loud = cloud.copy()
    second = np.isin(keys, np.unique(keys)[1::2])
    loud[second] *= 10
    first, other = outliers.fit(cloud, keys), outliers.fit(loud, keys)
    assert first is not None
    assert other is not None
    np.testing.assert_array_equal(first.precision, other.precision)
    assert other.limit > 5 * first.limit


def test_table_by_kind() -> None:
    """Far ones are flagged, near ones are not; test has no AUROC, kinds have Wilson intervals."""
    cloud, keys = usual(1000, 0), patients(1000)
    gate = outliers.fit(cloud, keys)
    kinds = {"far": usual(15, 2) + 50, "near": usual(15, 3)}
    resampling = intervals.draw(patients(300), 50, 0)
    table = outliers.table(gate, "any 8 numbers", usual(300, 4), kinds, resampling)
    far, near, both = (table.row(name) for name in ("far", "near", outliers.ALL))
    assert (far.figures["flagged"].value, far.figures["auroc"].value) == (1.0, 1.0)
    assert far.figures["flagged"].low == pytest.approx(intervals.wilson(15, 15).low)
    assert near.figures["flagged"].value < 0.2  # type: ignore[operator]
    assert (both.slices, far.slices) == (30, 15)
    assert table.row("test").figures["auroc"].value is None
    assert table.row("test").slices == 300
    assert "any 8 numbers" in table.title


@pytest.mark.parametrize(
    ("embedding", "keys"),
    [
        pytest.param(usual(6, 0), ["p"] * 6, id="one-patient"),
        pytest.param(np.ones((6, 4)), patients(6), id="all-the-same"),
    ],
)
def test_without_a_gate_everything_is_undefined(embedding: np.ndarray, keys: list[str]) -> None:
    """Null, not zero: nothing was assessed."""
    gate = outliers.fit(embedding, keys)
    assert gate is None
    resampling = intervals.draw(keys, 20, 0)
    table = outliers.table(gate, "x", embedding, {"far": embedding}, resampling)
    assert [row.name for row in table.rows] == ["test", "far", outliers.ALL]
    assert {figure.value for row in table.rows for figure in row.figures.values()} == {None}
