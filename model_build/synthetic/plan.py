"""Plan: which hemorrhages a phantom has, how large and how dense, before any shape is built.

Volumes are log-normal around the BHSD table, raised to whole-scan totals; densities are the
published cores (56 to 60 HU for fresh clots, never a textbook 80).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from service.types import LABELS

Mode = Literal["training", "natural"]

EPIDURAL, INTRAPARENCHYMAL, INTRAVENTRICULAR, SUBARACHNOID, SUBDURAL = range(5)

# Log-normal (mu, sd) of the total volume in mL, core HU (mean, sd).
_VOLUME = {0: (2.4, 1.1), 1: (2.2, 1.3), 2: (1.3, 1.1), 3: (2.1, 1.1), 4: (2.9, 1.1)}
_CORE = {0: (60.0, 7.0), 1: (57.0, 7.0), 2: (47.0, 8.0), 3: (52.0, 6.0)}
_SDH_AGES = ((0.62, 62.0, 7.0), (0.22, 42.0, 6.0), (0.16, 24.0, 6.0))
# Training sees larger bleeds, so that each subtype is on enough slices; natural mode does not.
_TRAINING_GAIN = {1: 0.3, 2: 0.9, 3: 0.6}
_SUBACUTE = 0.10
# Share of positive series with 1, 2, 3, 4 subtypes drawn; ruptures add a few more.
_COUNTS: dict[Mode, tuple[float, ...]] = {
    "training": (0.18, 0.35, 0.31, 0.16),
    "natural": (0.60, 0.28, 0.09, 0.03),
}
_WEIGHTS: dict[Mode, tuple[float, ...]] = {
    "training": (0.20, 0.27, 0.17, 0.21, 0.15),
    "natural": (0.025, 0.275, 0.12, 0.33, 0.25),
}


class Variant(StrEnum):
    """How a hemorrhage of one subtype looks."""

    PLAIN = "plain"
    SWIRL = "swirl"  # epidural with hypodense unclotted islands
    LEVEL = "level"  # dependent haematocrit or fluid level
    MIXED = "mixed"  # acute subdural with unclotted, darker parts
    STRIP = "strip"  # subdural along the falx
    TENT = "tent"  # subdural on the tentorium
    FOCAL = "focal"  # traumatic subarachnoid blood in sulci
    CISTERNAL = "cisternal"  # aneurysmal subarachnoid blood
    CAST = "cast"  # ventricles filled
    EDEMA = "edema"  # hypodense ring, bleed older than six hours


# Cumulative shares of the appearances of a subtype; subdurals follow their age instead.
_LOOKS: dict[int, tuple[tuple[float, Variant], ...]] = {
    EPIDURAL: ((0.25, Variant.SWIRL), (1.0, Variant.PLAIN)),
    INTRAPARENCHYMAL: ((0.6, Variant.EDEMA), (0.66, Variant.LEVEL), (1.0, Variant.PLAIN)),
    INTRAVENTRICULAR: ((0.5, Variant.LEVEL), (0.7, Variant.CAST), (1.0, Variant.PLAIN)),
    SUBARACHNOID: ((0.6, Variant.FOCAL), (1.0, Variant.CISTERNAL)),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One hemorrhage to be built.

    Attributes:
        label: Index in LABELS.
        volume_ml: Volume to reach.
        core_hu: HU of pure blood before partial volume and noise.
        variant: Appearance.
    """

    label: int
    volume_ml: float
    core_hu: float
    variant: Variant = Variant.PLAIN


def draw_plan(rng: np.random.Generator, mode: Mode) -> tuple[Planned, ...]:
    """Draw the hemorrhages of one positive series."""
    count = 1 + int(rng.choice(4, p=_COUNTS[mode]))
    kinds = rng.choice(len(LABELS) - 1, size=count, replace=False, p=_WEIGHTS[mode])
    plan = [one for kind in kinds for one in _draw_kind(rng, int(kind), mode)]
    if not any(one.label == INTRAVENTRICULAR for one in plan):
        plan += [_draw_one(rng, INTRAVENTRICULAR, mode) for one in plan if _ruptures(rng, one)][:1]
    return tuple(plan)


def _ruptures(rng: np.random.Generator, one: Planned) -> bool:
    """Whether a bleed breaks into the ventricles: large deep ones and aneurysmal ones."""
    luck = rng.random()
    if one.label == INTRAPARENCHYMAL:
        return one.volume_ml > 20.0 and luck < 0.4
    return one.variant is Variant.CISTERNAL and luck < 0.3


def _draw_kind(rng: np.random.Generator, kind: int, mode: Mode) -> list[Planned]:
    """All hemorrhages of one subtype: contusions come in groups, subdurals on both sides."""
    first = _draw_one(rng, kind, mode)
    if kind == INTRAPARENCHYMAL and rng.random() < 0.35:
        parts = rng.dirichlet(np.full(int(rng.integers(2, 5)), 2.0))
        return [
            Planned(kind, max(0.05, first.volume_ml * float(p)), first.core_hu, first.variant)
            for p in parts
        ]
    if kind == SUBDURAL and rng.random() < 0.15:
        return [first, _draw_one(rng, kind, mode)]
    return [first]


def _draw_one(rng: np.random.Generator, kind: int, mode: Mode) -> Planned:
    mu, sd = _VOLUME[kind]
    mu += _TRAINING_GAIN.get(kind, 0.0) if mode == "training" else 0.0
    volume = float(np.clip(np.exp(rng.normal(mu, sd)), 0.05, 110.0))
    luck = float(rng.random())
    if kind == SUBDURAL:
        return _draw_subdural(rng, volume, luck)
    mean, spread = _CORE[kind]
    core = float(np.clip(rng.normal(mean, spread), mean - 2.2 * spread, mean + 2.2 * spread))
    if rng.random() < _SUBACUTE and kind == INTRAPARENCHYMAL:  # a week old: near grey matter
        core = max(41.0, core - 13.0)
    variant = next(look for share, look in _LOOKS[kind] if luck < share)
    return Planned(kind, volume, core, variant)


def _draw_subdural(rng: np.random.Generator, volume_ml: float, luck: float) -> Planned:
    age = int(rng.choice(3, p=[share for share, _, _ in _SDH_AGES]))
    _, mean, spread = _SDH_AGES[age]
    core = float(np.clip(rng.normal(mean, spread), 14.0, 78.0))
    if luck < 0.18:
        sheet = Variant.STRIP if luck < 0.10 else Variant.TENT
        return Planned(SUBDURAL, min(volume_ml, 15.0), core, sheet)
    look = Variant.PLAIN
    if luck > 0.59:
        look = (Variant.MIXED if luck > 0.8 else look, look, Variant.LEVEL)[age]
    return Planned(SUBDURAL, volume_ml, core, look)
