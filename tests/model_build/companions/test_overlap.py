"""Overlap: Dice and Jaccard by hand, which slices enter which row."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.companions import overlap


def labels(*subtypes: int | None) -> np.ndarray:
    """One row a slice: its subtype and `any`, or nothing."""
    found = np.zeros((len(subtypes), 6), np.uint8)
    for row, subtype in enumerate(subtypes):
        if subtype is not None:
            found[row, [subtype, 5]] = 1
    return found


def test_dice_and_jaccard_by_hand() -> None:
    """Four predicted and six true pixels with three in common: 6/10 and 3/7."""
    predicted, true = np.zeros((2, 1, 4, 4), np.bool_)
    predicted[0, 0, :4] = True
    true[0, 0, 1:], true[0, 1, :3] = True, True
    found = overlap.counts(predicted, true)
    assert found.tolist() == [[3, 4, 6]]
    assert overlap.dice(found)[0] == pytest.approx(0.6)
    assert overlap.jaccard(found)[0] == pytest.approx(3 / 7)


def test_a_slice_without_a_true_mask_has_no_dice() -> None:
    """Neither one for an empty prediction nor nought for a false alarm; a miss is nought."""
    found = np.array([[0, 0, 0], [0, 5, 0], [0, 0, 5]])
    assert np.isnan(overlap.dice(found)).tolist() == [True, True, False]
    assert overlap.dice(found)[2] == 0.0
    assert overlap.jaccard(found)[2] == 0.0


def test_each_subtype_is_judged_on_the_slices_that_show_it() -> None:
    """Slice means and pooled pixels differ: a large good lesion outweighs a small bad one."""
    found = np.array([[90, 100, 100], [0, 10, 10], [5, 10, 10], [0, 7, 0]])
    table = overlap.table(found, labels(4, 4, 0, None), ["a", "b", "c", "d"], 0, 50)
    subdural, epidural, whole = (table.row(name) for name in ("subdural", "epidural", "any"))
    assert subdural.positives == 2
    assert subdural.figures["dice"].value == pytest.approx(0.45)
    assert subdural.figures["pooled_dice"].value == pytest.approx(180 / 220)
    assert epidural.figures["dice"].value == pytest.approx(0.5)
    assert epidural.figures["jaccard"].value == pytest.approx(5 / 15)
    assert whole.positives == 3
    assert whole.figures["dice"].value == pytest.approx((0.9 + 0 + 0.5) / 3)
    assert table.row("subarachnoid").positives == 0
    assert table.row("subarachnoid").figures["dice"].value is None


def test_intervals_come_from_patients() -> None:
    """Two hundred copies of one patient's slice make the interval no narrower."""
    rng = np.random.default_rng(0)
    both = rng.integers(0, 100, 20)
    found = np.stack([both, np.full(20, 100), np.full(20, 100)], axis=1)
    keys = [f"p{row}" for row in range(20)]
    few = overlap.table(found, labels(*[4] * 20), keys, 1, 300).row("any").figures["dice"]
    copied, owners = np.repeat(found, 10, axis=0), [key for key in keys for _ in range(10)]
    many = overlap.table(copied, labels(*[4] * 200), owners, 1, 300).row("any").figures["dice"]
    assert few.low is not None
    assert (many.low, many.high) == (pytest.approx(few.low), pytest.approx(few.high))


def test_false_alarms_and_misses_are_counted() -> None:
    """One of two clean slices is painted on, one of two bloody ones is left blank."""
    found = np.array([[0, 0, 0], [0, 3, 0], [0, 0, 4], [2, 3, 4]])
    assert overlap.false_alarms(found) == {
        "slices_without_mask": 2,
        "share_of_them_with_prediction": 0.5,
        "slices_with_mask": 2,
        "share_of_them_without_prediction": 0.5,
    }


def test_what_does_not_fit_is_refused() -> None:
    """Masks of two shapes, and counts without labels."""
    with pytest.raises(ValueError, match="one shape"):
        overlap.counts(np.zeros((1, 2, 2), np.bool_), np.zeros((1, 2, 3), np.bool_))
    with pytest.raises(ValueError, match="one row per slice"):
        overlap.table(np.zeros((2, 3), np.int64), labels(0), ["a", "b"], 0)
