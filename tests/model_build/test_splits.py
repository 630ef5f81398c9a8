"""Splits: patients stay whole, copies stay together, shares and the paper's counts are met."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.splits import (
    PAPER_COUNTS,
    SPLITS,
    LeakError,
    link,
    manifest,
    no_leak,
    paper_split,
    split_linked,
    split_patients,
)

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


def labels_of(*any_columns: int) -> np.ndarray:
    """Labels uint8 (N, 6) of which only `any` is set."""
    table = np.zeros((len(any_columns), 6), np.uint8)
    table[:, 5] = any_columns
    return table


def test_patients_with_one_image_in_common_are_one_group() -> None:
    """a-b share an image, b-c another: all three; blank images (no hash) link nobody."""
    patients = ["a", "b", "b", "c", "d", "e"]
    images = ["1", "1", "2", "2", "", ""]
    linked = link(patients, images, labels_of(0, 0, 0, 0, 0, 0))
    assert linked.groups == ("a", "a", "a", "a", "d", "e")
    assert not linked.conflicting.any()


def test_copies_with_other_labels_are_conflicting() -> None:
    """Every copy of the image, the first included; the other slices of the patients are not."""
    linked = link(["a", "a", "b", "c"], ["1", "2", "1", "1"], labels_of(0, 0, 1, 0))
    assert linked.conflicting.tolist() == [True, False, True, True]


def test_copies_never_cross_a_split_and_conflicts_are_in_none() -> None:
    """Sixty patients, each second one with an image of the next; two copies disagree."""
    keys = cohort()
    images = [f"image{row}" for row in range(len(keys))]
    first = [keys.index(f"patient{i}") for i in range(60)]
    for i in range(0, 60, 2):
        images[first[i + 1]] = images[first[i]]
    labels = labels_of(*[0] * len(keys))
    labels[first[0], 5] = 1
    parts = split_linked(keys, images, labels, FRACTIONS, seed=1)
    no_leak(parts, keys, images)
    used = set(np.concatenate(list(parts.values())).tolist())
    assert set(range(len(keys))) - used == {first[0], first[1]}


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (([0, 1], [1, 2]), "slices"),
        (([0], [1, 2]), "patients"),
        (([0, 1], [3]), "images"),
    ],
)
def test_a_leak_is_found(rows: tuple[list[int], list[int]], what: str) -> None:
    """A slice, a patient, an image on two sides; the message counts and does not name."""
    parts = {"train": np.array(rows[0]), "val": np.array(rows[1]), "test": np.array([4])}
    with pytest.raises(LeakError, match=f"1 {what}") as caught:
        no_leak(parts, ["secret", "secret", "b", "c", "d"], ["i", "j", "k", "i", "l"])
    assert "secret" not in str(caught.value)


def study(patients: int = 400, size: int = 30) -> tuple[list[str], np.ndarray]:
    """Patients of thirty slices; every fifth bleeds on ten of them."""
    keys = [f"p{i}" for i in range(patients) for _ in range(size)]
    positive = np.array([i % 5 == 0 and s < 10 for i in range(patients) for s in range(size)])
    return keys, positive


@pytest.mark.parametrize("share", [0.5, None], ids=["balanced", "natural"])
def test_the_counts_of_the_paper_are_met_exactly(share: float | None) -> None:
    """A hundredth of 72,516 / 7,515 / 7,512, by whole patients, about half of them positive."""
    keys, positive = study()
    counts = (725, 75, 75)
    parts = paper_split(keys, positive, seed=3, counts=counts, positive_share=share)
    assert tuple(len(parts[name]) for name in SPLITS) == counts
    no_leak(parts, keys)
    found = positive[parts["train"]].mean()
    assert found == pytest.approx(share or positive.mean(), abs=0.06)


def test_a_trimmed_patient_loses_negatives_alone() -> None:
    """Whoever is in a split brings all positive slices."""
    keys, positive = study()
    parts = paper_split(keys, positive, seed=3, counts=(725, 75, 75))
    for rows in parts.values():
        inside = {keys[row] for row in rows}
        owned = [row for row, key in enumerate(keys) if key in inside and positive[row]]
        assert set(owned) <= set(rows.tolist())


def test_too_few_slices_for_the_counts_are_refused() -> None:
    """The whole paper needs 87,543 slices."""
    keys, positive = study(20)
    assert sum(PAPER_COUNTS) == 87_543
    with pytest.raises(ValueError, match="lack"):
        paper_split(keys, positive, seed=1)


def test_the_manifest_names_each_patient_once_and_changes_with_the_split() -> None:
    """For the artifact: split by patient key, counts, and a hash over both."""
    keys = cohort()
    first = manifest(split_patients(keys, FRACTIONS, 1), keys)
    again = manifest(split_patients(keys, FRACTIONS, 1), keys)
    other = manifest(split_patients(keys, FRACTIONS, 2), keys)
    assert first == again
    assert first["sha256"] != other["sha256"]
    assert set(first["patients"]) == set(keys)
    assert sum(first["slices"].values()) == len(keys)
