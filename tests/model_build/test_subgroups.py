"""Subgroups: each step counts its own slices, empty ones stay null."""

from __future__ import annotations

import numpy as np

from model_build import intervals, subgroups
from model_build.truth import Truth

VOLUMES = [0.5, 0.5, 3.0, 30.0, 0.0, 0.0]
CALLED = [0.1, 0.9, 0.9, 0.9, 0.1, 0.9]
PRESENT = [1, 1, 1, 1, 0, 0]
AGE = ["30", "30", "70", "30", "30", "30"]
KVP = ["100", "120", "100", "120", "100", "120"]


def tables() -> dict[str, dict[str, tuple[int | None, float | None]]]:
    """Row name -> (positives, first figure) of every table of six slices of six patients."""
    truth = Truth(
        volume_ml=np.tile(np.array(VOLUMES)[:, None], (1, 6)),
        cnr=np.full((6, 6), 3.0),
        factors={"kvp": np.array(KVP), "age": np.array(AGE), "tilt_deg": np.array(["0"] * 6)},
    )
    given = (
        np.tile(np.array(CALLED)[:, None], (1, 6)),
        np.tile(np.array(PRESENT)[:, None], (1, 6)),
        (0.5,) * 6,
        truth,
        intervals.draw([f"p{k}" for k in range(6)], 50, 0),
    )
    found = [*subgroups.lesion_tables(*given), *subgroups.scan_tables(*given)]
    return {
        table.title: {
            row.name: (row.positives, row.figures[table.columns[0]].value) for row in table.rows
        }
        for table in found
    }


def test_sensitivity_by_volume_by_hand() -> None:
    """One of two below 1 mL, the one of 3 mL, none between 5 and 25, the one of 30."""
    rows = tables()["Sensitivity by volume of the lesion (%)"]
    assert rows["subdural, below 1 mL"] == (2, 0.5)
    assert rows["subdural, 1 to 5 mL"] == (1, 1.0)
    assert rows["subdural, 5 to 25 mL"] == (0, None)
    assert rows["subdural, 25 mL and more"] == (1, 1.0)
    assert len(rows) == 24


def test_sensitivity_by_contrast_by_hand() -> None:
    """All four positives have a ratio of 3."""
    rows = tables()["Sensitivity by contrast-to-noise ratio (%)"]
    assert rows["any, 2 to 4"] == (4, 0.75)
    assert rows["any, below 2"] == (0, None)


def test_factors_by_hand() -> None:
    """Texts and steps are groups, empty steps stay; a factor with one group is left out."""
    found = tables()
    # 100 kVp: positives .1 and .9 against a negative of .1: (.5 + 1) / 2.
    assert found["`any` by kvp"]["100"] == (2, 0.75)
    # 120 kVp: both positives and the negative tie.
    assert found["`any` by kvp"]["120"] == (2, 0.5)
    assert found["`any` by age"]["40 to 60"] == (0, None)
    assert found["`any` by age"]["60 to 80"] == (1, None)
    assert "`any` by tilt_deg" not in found


def test_curve_has_a_point_per_group_of_positives() -> None:
    """Sixteen positives in eight groups of two; larger is found, smaller is not."""
    volume = np.concatenate([np.arange(1.0, 17.0), [0.0]])
    truth = Truth(np.tile(volume[:, None], (1, 6)), np.zeros((17, 6)), {})
    p = np.tile((volume > 8)[:, None] * 0.8 + 0.1, (1, 6))
    labels = np.tile((volume > 0).astype(int)[:, None], (1, 6))
    resampling = intervals.draw(np.arange(17), 50, 0)
    curves = subgroups.lesion_curves(p, labels, (0.5,) * 6, truth, resampling)
    curve = next(c for c in curves if c.kind == "sensitivity by volume_ml" and c.label == "any")
    assert curve.x == tuple(np.arange(1.5, 16, 2))
    assert curve.y == (0.0,) * 4 + (1.0,) * 4
    assert curve.slices == (2,) * 8
