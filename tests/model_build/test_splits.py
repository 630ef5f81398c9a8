"""Splits: patients stay whole, shares are met, the order of the input does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.splits import SPLITS, split_patients

FRACTIONS = (0.8, 0.1, 0.1)


def cohort(patients: int = 60) -> list[str]:
    """Patient keys of slices: patient i has 20 + i slices."""
    return [f"patient{i}" for i in range(patients) for _ in range(20 + i)]


def test_no_patient_is_on_two_sides_and_none_is_lost() -> None:
    """The three splits cover every slice once, and share no patient."""
    keys = cohort()
    parts = split_patients(keys, FRACTIONS, seed=1)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(keys)))
    homes = [{keys[row] for row in parts[name]} for name in SPLITS]
    assert homes[0] | homes[1] | homes[2] == set(keys)
    assert sum(len(home) for home in homes) == len(set(keys))


def test_shares_are_met_within_one_large_patient() -> None:
    """Greedy filling leaves each split within one patient of its quota."""
    keys = cohort()
    parts = split_patients(keys, FRACTIONS, seed=1)
    for name, share in zip(SPLITS, FRACTIONS, strict=True):
        assert abs(len(parts[name]) - share * len(keys)) < 80


def test_the_split_does_not_depend_on_the_order_of_the_input() -> None:
    """The same patients land in the same split when the files are listed backwards."""
    keys = cohort()
    straight, backward = (split_patients(list(k), FRACTIONS, 3) for k in (keys, keys[::-1]))
    for name in SPLITS:
        assert {keys[row] for row in straight[name]} == {keys[::-1][row] for row in backward[name]}


def test_another_seed_gives_another_split() -> None:
    """The seed decides, not the names."""
    keys = cohort()
    first, second = (split_patients(keys, FRACTIONS, seed)["test"] for seed in (1, 2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("keys", "fractions"),
    [(cohort(), (0.5, 0.1, 0.1)), (["one"] * 30 + ["two"] * 30, FRACTIONS)],
    ids=["shares that do not sum to 1", "two patients for three splits"],
)
def test_an_impossible_split_is_refused(
    keys: list[str], fractions: tuple[float, float, float]
) -> None:
    """Neither a wrong sum nor an empty split passes."""
    with pytest.raises(ValueError, match="split"):
        split_patients(keys, fractions, seed=1)
