"""Splits: patients into train, val and test, so that no anatomy is seen on two sides.

patients ─ link (identical images) ─> groups ─ split_patients or paper_split ─> indices ─> no_leak
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SPLITS: tuple[str, ...] = ("train", "val", "test")
PAPER_COUNTS = (72_516, 7_515, 7_512)  # Rajagopal 2023, section 4.1; of 752,534 slices

Indices = npt.NDArray[np.intp]
Parts = dict[str, Indices]


class LeakError(ValueError):
    """A patient or an image is on two sides of a split."""


@dataclass(frozen=True, slots=True)
class Linked:
    """Patients joined by identical images.

    Attributes:
        groups: of each slice, the name of its group of patients.
        conflicting: of each slice, whether the same image has other labels elsewhere.
    """

    groups: tuple[str, ...]
    conflicting: npt.NDArray[np.bool_]


def link(
    patients: Sequence[str], pixel_hashes: Sequence[str], labels: npt.NDArray[np.uint8]
) -> Linked:
    """Union-find of patients over identical images (datasets.md section 1.4).

    Args:
        patients: patient key of each slice.
        pixel_hashes: hash of each slice's voxels; empty links nothing.
        labels: uint8 (N, 6).
    """
    parent = {patient: patient for patient in patients}

    def find(patient: str) -> str:
        while parent[patient] != patient:
            parent[patient] = parent[parent[patient]]
            patient = parent[patient]
        return patient

    copies: dict[str, list[int]] = defaultdict(list)
    for row, image in enumerate(pixel_hashes):
        if image:
            copies[image].append(row)
    conflicting = np.zeros(len(patients), np.bool_)
    for rows in copies.values():
        for row in rows[1:]:
            first, second = sorted((find(patients[rows[0]]), find(patients[row])))
            parent[second] = first
        conflicting[rows] = bool((labels[rows] != labels[rows[0]]).any())
    return Linked(tuple(find(patient) for patient in patients), conflicting)


def split_patients(
    patients: Sequence[str], fractions: tuple[float, float, float], seed: int
) -> Parts:
    """Indices of the slices of each split; a patient is in exactly one.

    Patients are ordered by a seeded hash of their key and filled greedily, so adding a patient
    moves few others and the order of the input does not matter.

    Args:
        patients: the patient key, or the linked group, of each slice.
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


def split_linked(
    patients: Sequence[str],
    pixel_hashes: Sequence[str],
    labels: npt.NDArray[np.uint8],
    fractions: tuple[float, float, float],
    seed: int,
) -> Parts:
    """`split_patients` over linked groups, without images of conflicting labels, leak-checked.

    Raises:
        ValueError: see `split_patients`.
    """
    linked = link(patients, pixel_hashes, labels)
    found = split_patients(linked.groups, fractions, seed)
    parts = {name: rows[~linked.conflicting[rows]] for name, rows in found.items()}
    no_leak(parts, patients, pixel_hashes)
    return parts


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


def _rank(key: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()


def paper_split(
    patients: Sequence[str],
    positive: npt.NDArray[np.bool_],
    seed: int,
    counts: tuple[int, int, int] = PAPER_COUNTS,
    positive_share: float | None = 0.5,
) -> Parts:
    """Splits of exactly `counts` slices, a patient in one at most (model.md section 6).

    Patients are filled greedily; of the last patient of a split surplus negatives are dropped.

    Args:
        patients: the patient key, or the linked group, of each slice.
        positive: whether each slice shows any hemorrhage.
        seed: part of the hashes that order patients and drop negatives.
        counts: slices of train, val and test.
        positive_share: aimed share of positives, reached by leaving out negatives of every
            patient alike; None keeps the natural prevalence.

    Raises:
        ValueError: the patients do not suffice for the counts.
    """
    kept = _balanced(positive, seed, positive_share)
    rows: dict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(kept).tolist():
        rows[patients[row]].append(row)
    chosen: dict[str, list[int]] = {name: [] for name in SPLITS}
    lacking = dict(zip(SPLITS, counts, strict=True))
    for patient in sorted(rows, key=lambda key: _rank(key, seed)):
        own = np.array(rows[patient])
        least = int(positive[own].sum())
        # A patient whose positives alone are too many for what is left is passed over.
        open_splits = [name for name in SPLITS if lacking[name] and lacking[name] >= least]
        if not open_splits:
            continue
        name = max(open_splits, key=lambda each: lacking[each] / max(1, counts[SPLITS.index(each)]))
        taken = np.concatenate([own[positive[own]], own[~positive[own]]])[: lacking[name]]
        chosen[name] += taken.tolist()
        lacking[name] -= len(taken)
    if any(lacking.values()):
        raise ValueError(f"too few patients for the counts of the paper: {lacking} slices lack")
    return {name: np.array(sorted(picked), dtype=np.intp) for name, picked in chosen.items()}


def _balanced(
    positive: npt.NDArray[np.bool_], seed: int, share: float | None
) -> npt.NDArray[np.bool_]:
    """Which slices to keep so that about `share` of them are positive; never drops a positive."""
    negatives = len(positive) - int(positive.sum())
    if share is None or not negatives:
        return np.ones(len(positive), np.bool_)
    wanted = int(positive.sum()) * (1 - share) / share
    luck = np.random.default_rng(seed).random(len(positive))
    kept: npt.NDArray[np.bool_] = positive | (luck < wanted / negatives)
    return kept


def no_leak(
    parts: Mapping[str, Indices], patients: Sequence[str], pixel_hashes: Sequence[str] = ()
) -> None:
    """Check that no slice, patient or image is in two splits.

    Raises:
        LeakError: one is; says how many, never which.
    """
    for what, keys in (
        ("slices", range(len(patients))),
        ("patients", patients),
        ("images", pixel_hashes),
    ):
        if not keys:
            continue
        sides = [{keys[row] for row in indices} - {""} for indices in parts.values()]
        shared = sum(map(len, sides)) - len(set().union(*sides))
        if shared:
            raise LeakError(f"{shared} {what} are on two sides of the split")


def manifest(parts: Mapping[str, Indices], patients: Sequence[str]) -> dict[str, Any]:
    """What the artifact says of a split: split by patient key, counts, and a hash of both."""
    home = {patients[row]: name for name, indices in parts.items() for row in indices}
    facts = {
        "slices": {name: len(indices) for name, indices in parts.items()},
        "patients": dict(sorted(home.items())),
    }
    text = json.dumps(facts, sort_keys=True)
    return facts | {"sha256": hashlib.sha256(text.encode()).hexdigest()}
