"""Splits: patients into train, val and test, so that no anatomy is seen on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SPLITS: tuple[str, ...] = ("train", "val", "test")


def split_patients(
    patients: Sequence[str], fractions: tuple[float, float, float], seed: int
) -> dict[str, npt.NDArray[np.intp]]:
    """Indices of the slices of each split; a patient is in exactly one.

    Patients are ordered by a seeded hash of their key and filled greedily, so adding a patient
    moves few others and the order of the input does not matter.

    Args:
        patients: the patient key of each slice.
        fractions: aimed shares of slices for train, val and test; must sum to 1.
        seed: part of the hash.

    Raises:
        ValueError: the fractions do not sum to 1, or a split would be empty.
    """
    if abs(sum(fractions) - 1.0) > 1e-9:
        raise ValueError("the fractions of a split must sum to 1")
    home = _fill(Counter(patients), fractions, seed)
    homes = np.array([home[patient] for patient in patients])
    found = {name: np.flatnonzero(homes == name) for name in SPLITS}
    if any(len(indices) == 0 for indices in found.values()):
        raise ValueError("too few patients for three splits")
    return found


def _fill(sizes: Counter[str], fractions: tuple[float, float, float], seed: int) -> dict[str, str]:
    """Give each patient to the split that lacks the largest share of its quota."""
    total = sum(sizes.values())
    quota = {name: fraction * total for name, fraction in zip(SPLITS, fractions, strict=True)}
    filled = dict.fromkeys(SPLITS, 0)
    home = {}
    for patient in sorted(sizes, key=lambda key: _rank(key, seed)):
        name = max(SPLITS, key=lambda each: 1 - filled[each] / quota[each] if quota[each] else -1.0)
        home[patient] = name
        filled[name] += sizes[patient]
    return home


def _rank(patient: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest()
