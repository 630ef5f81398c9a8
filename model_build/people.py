"""People: what the generator knows of each phantom person that truth.csv does not hold.

phantom_seed -> the person, drawn again -> calcification, operation, atrophy of each slice

A person depends on the seed and the generator alone, so nothing has to be stored; but only a set
of the present generator may be read so.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_build.synthetic.generate import describe
from model_build.synthetic.series import subject_of
from model_build.synthetic.subject import Subject

Factors = dict[str, npt.NDArray[np.str_]]


def factors(folder: Path, seeds: Sequence[str]) -> Factors:
    """Factors by name, (N,) text each; empty where the set is not one of the present generator.

    Args:
        folder: of the phantom set.
        seeds: (N,) `phantom_seed` of each slice, hexadecimal.
    """
    try:
        describe(folder)
    except FileNotFoundError:
        return {}
    found = [_factors(seed) for seed in seeds]
    return {name: np.array([each[name] for each in found]) for name in (found[0] if found else ())}


@cache
def _factors(seed: str) -> dict[str, str]:
    person = subject_of(int(seed, 16))
    operated = person.findings.burr_mm > 0 or person.findings.shunt
    return {
        "calcification": calcification(person),
        "operated": "yes" if operated else "no",
        "atrophy": f"{person.atrophy:.3f}",
    }


def calcification(person: Subject) -> str:
    """Which calcium a reader must not call blood: that of most people, or more than that."""
    more = (person.ganglia_hu, person.falx_plaque_hu, person.vessel_hu, person.findings.speck_hu)
    if any(more):
        return "ganglia, falx, siphon or granuloma"
    return "pineal or choroid only" if person.pineal_hu or person.choroid_hu else "none"
