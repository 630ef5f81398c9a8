"""Subject: the numbers of one phantom person, drawn before anything is known of a lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_build.synthetic.findings import Findings, draw_findings


@dataclass(frozen=True, slots=True)
class Subject:
    """One person: dimensions in mm, tissues in HU, findings that are no hemorrhage.

    Attributes:
        age: Years, 20 to 88.
        atrophy: 0 (age 45 and younger) to 1; widens every CSF space.
        half_width_mm: Outer skull, left-right semi-axis.
        half_length_mm: Outer skull, back-front semi-axis.
        vault_mm: Height of the outer skull above the base plane.
        scalp_mm: Scalp thickness.
        skull_mm: Skull thickness.
        gap_mm: CSF between inner table and cortex.
        white_hu: White matter.
        grey_hu: Cortex.
        csf_hu: Cerebrospinal fluid.
        bone_hu: Compact bone of the two tables.
        diploe_hu: Spongy bone between the tables.
        sinus_hu: Venous blood; 70 with a high haematocrit.
        falx_hu: Falx and tentorium.
        ventricle: Scale of the ventricular radii before atrophy.
        asymmetry: Left-right difference of the ventricles, -0.2 to 0.2.
        pineal_hu: Pineal calcification, 0 for none.
        choroid_hu: Choroid plexus calcification, 0 for none.
        ganglia_hu: Basal ganglia calcification, 0 for none.
        falx_plaque_hu: Calcified plaque of the falx, 0 for none.
        vessel_hu: Calcified carotid siphon, 0 for none.
        frontal_sinus: Whether the frontal sinus is aerated.
        gliosis_hu: Loss of HU in the white matter around the ventricles.
        infarct_ml: Volume of an old infarct, 0 for none.
        egg: How much wider the parietal head is than the forehead.
        falx_mm: Half thickness of falx and tentorium.
        vessel_blood_hu: Arterial blood of the basal vessels.
        findings: Benign findings besides the calcifications.
    """

    age: int
    atrophy: float
    half_width_mm: float
    half_length_mm: float
    vault_mm: float
    scalp_mm: float
    skull_mm: float
    gap_mm: float
    white_hu: float
    grey_hu: float
    csf_hu: float
    bone_hu: float
    diploe_hu: float
    sinus_hu: float
    falx_hu: float
    ventricle: float
    asymmetry: float
    pineal_hu: float
    choroid_hu: float
    ganglia_hu: float
    falx_plaque_hu: float
    vessel_hu: float
    frontal_sinus: bool
    gliosis_hu: float
    infarct_ml: float
    egg: float
    falx_mm: float
    vessel_blood_hu: float
    findings: Findings


def draw_subject(rng: np.random.Generator) -> Subject:
    """Draw a person. HU follow FDA phantom values and Nakamura 2019 (GM-WM 7.08 HU)."""

    def chance(share: float, low: float, high: float) -> float:
        # Two draws always, so that no finding shifts the numbers of the next one.
        value, luck = rng.uniform(low, high), rng.random()
        return float(value) if luck < share else 0.0

    # Atrophy follows age loosely: some of the old have tight brains.
    age = int(rng.integers(20, 89))
    atrophy = float(np.clip((age - 45) / 45 + rng.normal(0.0, 0.12), 0.0, 1.0))
    # Grey is drawn relative to white: scanners shift both, the contrast is what is measured.
    white = float(rng.normal(29.5, 1.5))
    # Dense veins come with a high haematocrit, at every age.
    blood = float(rng.uniform(54.0, 66.0) if rng.random() < 0.15 else rng.uniform(40.0, 52.0))
    return Subject(
        age=age,
        atrophy=atrophy,
        half_width_mm=float(rng.uniform(70.0, 77.0)),
        half_length_mm=float(rng.uniform(86.0, 95.0)),
        vault_mm=float(rng.uniform(100.0, 112.0)),
        scalp_mm=float(rng.uniform(4.0, 7.0)),
        skull_mm=float(rng.uniform(4.8, 8.2)),
        gap_mm=float(rng.uniform(0.8, 1.6)) + 2.2 * atrophy,
        white_hu=white,
        grey_hu=white + float(np.clip(rng.normal(7.5, 1.0), 5.0, 10.0)),
        csf_hu=float(rng.uniform(7.0, 10.0)),
        bone_hu=float(rng.uniform(950.0, 1250.0)),
        diploe_hu=float(rng.uniform(350.0, 600.0)),
        sinus_hu=float(np.clip(blood + rng.uniform(3.0, 10.0), 48.0, 78.0)),
        falx_hu=float(rng.uniform(48.0, 60.0)),
        ventricle=float(rng.uniform(0.75, 1.25)),
        asymmetry=float(np.clip(rng.normal(0.0, 0.08), -0.2, 0.2)),
        pineal_hu=chance(0.6, 80.0, 250.0),
        choroid_hu=chance(0.55, 70.0, 300.0),
        ganglia_hu=chance(0.10, 60.0, 130.0),
        falx_plaque_hu=chance(0.15, 90.0, 500.0),
        vessel_hu=chance(0.6 * min(1.0, age / 70), 120.0, 600.0),
        frontal_sinus=bool(rng.random() < 0.7),
        gliosis_hu=6.0 * atrophy * float(rng.random()),
        infarct_ml=chance(0.04 + 0.1 * atrophy, 1.0, 40.0),
        egg=float(rng.uniform(0.02, 0.12)),
        falx_mm=float(rng.uniform(0.4, 0.8)) + 0.4 * float(rng.random()) * atrophy,
        vessel_blood_hu=blood,
        findings=draw_findings(rng, atrophy),
    )
