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
_VOLUME = {0: (2.4, 1.1), 1: (2.2, 1.3), 2: (1.3, 1.2), 3: (2.1, 1.2), 4: (2.9, 1.1)}
_CORE = {0: (60.0, 7.0), 1: (57.0, 7.0), 2: (47.0, 8.0), 3: (52.0, 6.0)}
_SDH_AGES = ((0.62, 62.0, 7.0), (0.22, 42.0, 6.0), (0.16, 24.0, 6.0))
# Share of positive series with 1, 2, 3, 4 subtypes drawn; ruptures add a few more.
_COUNTS: dict[Mode, tuple[float, ...]] = {
    "training": (0.40, 0.33, 0.19, 0.08),
    "natural": (0.60, 0.28, 0.09, 0.03),
}
_WEIGHTS: dict[Mode, tuple[float, ...]] = {
    "training": (0.27, 0.22, 0.10, 0.23, 0.18),
    "natural": (0.025, 0.275, 0.12, 0.33, 0.25),
}


class Variant(StrEnum):
    """How a hemorrhage of one subtype looks."""

    PLAIN = "plain"
    SWIRL = "swirl"  # epidural with hypodense unclotted islands
    LEVEL = "level"  # dependent haematocrit or fluid level
    STRIP = "strip"  # subdural along the falx
    FOCAL = "focal"  # traumatic subarachnoid blood in sulci
    CISTERNAL = "cisternal"  # aneurysmal subarachnoid blood
    CAST = "cast"  # ventricles filled
    EDEMA = "edema"  # hypodense ring, bleed older than six hours


# Cumulative shares of the appearances of a subtype; subdurals follow their age instead.
_LOOKS: dict[int, tuple[tuple[float, Variant], ...]] = {
    EPIDURAL: ((0.25, Variant.SWIRL), (1.0, Variant.PLAIN)),
    INTRAPARENCHYMAL: ((0.6, Variant.EDEMA), (1.0, Variant.PLAIN)),
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
    plan = [one for kind in kinds for one in _draw_kind(rng, int(kind))]
    if not any(one.label == INTRAVENTRICULAR for one in plan):
        plan += [_draw_one(rng, INTRAVENTRICULAR) for one in plan if _ruptures(rng, one)][:1]
    return tuple(plan)


def _ruptures(rng: np.random.Generator, one: Planned) -> bool:
    """Whether a bleed breaks into the ventricles: large deep ones and aneurysmal ones."""
    luck = rng.random()
    if one.label == INTRAPARENCHYMAL:
        return one.volume_ml > 20.0 and luck < 0.4
    return one.variant is Variant.CISTERNAL and luck < 0.3


def _draw_kind(rng: np.random.Generator, kind: int) -> list[Planned]:
    """All hemorrhages of one subtype: contusions come in groups, subdurals on both sides."""
    first = _draw_one(rng, kind)
    if kind == INTRAPARENCHYMAL and rng.random() < 0.2:
        parts = rng.dirichlet(np.ones(int(rng.integers(2, 4))))
        return [
            Planned(kind, max(0.05, first.volume_ml * float(p)), first.core_hu, first.variant)
            for p in parts
        ]
    if kind == SUBDURAL and rng.random() < 0.15:
        return [first, _draw_one(rng, kind)]
    return [first]


def _draw_one(rng: np.random.Generator, kind: int) -> Planned:
    mu, sd = _VOLUME[kind]
    volume = float(np.clip(np.exp(rng.normal(mu, sd)), 0.05, 110.0))
    luck = float(rng.random())
    if kind == SUBDURAL:
        return _draw_subdural(rng, volume, luck)
    mean, spread = _CORE[kind]
    core = float(np.clip(rng.normal(mean, spread), mean - 2.2 * spread, mean + 2.2 * spread))
    variant = next(look for share, look in _LOOKS[kind] if luck < share)
    return Planned(kind, volume, core, variant)


def _draw_subdural(rng: np.random.Generator, volume_ml: float, luck: float) -> Planned:
    age = int(rng.choice(3, p=[share for share, _, _ in _SDH_AGES]))
    _, mean, spread = _SDH_AGES[age]
    core = float(np.clip(rng.normal(mean, spread), 14.0, 78.0))
    if luck < 0.13:
        return Planned(SUBDURAL, min(volume_ml, 15.0), core, Variant.STRIP)
    level = age == 2 and luck > 0.56
    return Planned(SUBDURAL, volume_ml, core, Variant.LEVEL if level else Variant.PLAIN)
