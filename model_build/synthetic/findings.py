"""Findings: what a head shows besides hemorrhage; drawn with the person, before any lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Findings:
    """Benign findings of one person; 0 means absent. Shares are chosen, not published.

    Attributes:
        dense_artery: -1 or 1: side of a clotted middle cerebral artery.
        mucosa_mm: Swollen mucosa of a maxillary sinus.
        bruise_mm: Swelling of the scalp.
        bruise_deg: Its azimuth, 0 front, 90 left.
        bruise_z: Its height, mm.
        bruise_hu: Its density.
        fracture: Whether the skull is broken under the bruise.
        burr_mm: Radius of a burr hole or bone flap.
        hygroma_mm: Thickness of a CSF collection over one or both hemispheres.
        hygroma_side: -1, 1 or 0 for both.
        cyst_mm: Radius of an arachnoid cyst.
        mass_mm: Radius of a dural mass, homogeneous and a little dense.
        mass_hu: Its density.
        dark_mm: Radius of swelling without blood: fresh infarct or tumour.
        speck_hu: Calcified granuloma in the brain.
        lacunes: Number of small old infarcts in the basal ganglia.
        shunt: Whether a catheter runs to a ventricle.
    """

    dense_artery: int
    mucosa_mm: float
    bruise_mm: float
    bruise_deg: float
    bruise_z: float
    bruise_hu: float
    fracture: bool
    burr_mm: float
    hygroma_mm: float
    hygroma_side: int
    cyst_mm: float
    mass_mm: float
    mass_hu: float
    dark_mm: float
    speck_hu: float
    lacunes: int
    shunt: bool


def draw_findings(rng: np.random.Generator, atrophy: float) -> Findings:
    """Draw the findings; the number of draws is always the same."""
    luck = iter(rng.random(12).tolist())

    def chance(share: float, low: float, high: float) -> float:
        value = float(rng.uniform(low, high))
        return value if next(luck) < share else 0.0

    bruise = chance(0.3, 3.0, 14.0)
    return Findings(
        dense_artery=int(rng.choice([-1, 1])) if next(luck) < 0.05 else 0,
        mucosa_mm=chance(0.35, 2.0, 18.0),
        bruise_mm=bruise,
        bruise_deg=float(rng.uniform(-180.0, 180.0)),
        bruise_z=float(rng.uniform(15.0, 80.0)),
        bruise_hu=float(rng.uniform(25.0, 65.0)),
        fracture=next(luck) < 0.25 and bruise > 0.0,
        burr_mm=chance(0.05, 5.0, 32.0),
        hygroma_mm=chance(0.05 + 0.10 * atrophy, 3.0, 11.0),
        hygroma_side=int(rng.choice([-1, 0, 1])),
        cyst_mm=chance(0.04, 8.0, 22.0),
        mass_mm=chance(0.04, 6.0, 20.0),
        mass_hu=float(rng.uniform(42.0, 60.0)),
        dark_mm=chance(0.08, 8.0, 30.0),
        speck_hu=chance(0.10, 80.0, 400.0),
        lacunes=int(rng.poisson(0.2 + 2.0 * atrophy)),
        shunt=next(luck) < 0.025,
    )
