"""Anchors: published figures of research models and cleared devices, for orientation only.

They were measured on other data, most of it patient data: no row of ours can be ranked among them.
Source: spec/evaluation.md sections 11 and 12. Claimed, not reproduced.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anchor:
    """A system and what was published of it; `unverified` where only hearsay supports it."""

    system: str
    figure: str
    unverified: bool = False


RESEARCH: tuple[Anchor, ...] = (
    Anchor(
        "RSNA 2019 1st, SeuTao (Wang 2021)",
        "weighted log loss .04383; AUC any .988, EDH .984, IPH .992, IVH .996, SAH .985, SDH .983; "
        "external any-AUC .964 (75 scans), .949 (CQ500, 491 scans)",
    ),
    Anchor("RSNA 2019 2nd, darraghdog (ResNeXt101 + bi-LSTM)", "weighted log loss .04607"),
    Anchor("RSNA 2019 58th, wangyunpengbio", "weighted log loss .05517; single 2D .070-.076"),
    Anchor("Burduja 2020 (ResNeXt101 + PCA + bi-LSTM)", "weighted log loss .04989"),
    Anchor("Nguyen 2020 (CNN-LSTM, 3 windows)", "weighted log loss .0529 / .0522"),
    Anchor("Ko 2020 (Xception + LSTM)", "weighted log loss .07528"),
    Anchor("Chen 2024 (3 % of MobileNetV3's parameters)", "mean AUC .952"),
    Anchor("ich-maxvit 2026", "AUC .9864, weighted log loss .0871; no patient grouping found"),
    Anchor("15 CNNs on 124 post-mortem scans", "AUC .862-.907, no positive correlation with size"),
    Anchor("Salehinejad 2021 (21,784 RSNA scans)", "external AUC .954"),
    Anchor(
        "Abrigo 2023 (RSNA-trained, 1,372 external scans)", "AUC .842, sens 73, spec 79, PPV 18.6"
    ),
    Anchor("Chilamkurthy 2018 (qER)", "AUC .92 (Qure25k), .94 (CQ500)"),
    Anchor("Meta-analysis 2025, 58 studies", "sens .92, spec .94, PPV .84, AUC .96"),
    Anchor(
        "Meta-analysis 2025, 45 studies", "research .890/.926, commercial .899/.951 (sens/spec)"
    ),
    Anchor("Segmentation: Hssayeni 2020 U-Net", "Dice .31"),
    Anchor("Segmentation: Hemorica 2025, 372 scans", "slice F1 87.8 %, Dice .855"),
    Anchor("Segmentation: nnU-Net, DeepBleed", "Dice about .7-.9, IPH-dominated sets", True),
)

DEVICES: tuple[Anchor, ...] = (
    Anchor(
        "Avicenna CINA-ICH (2021, 814 scans)",
        "sens 91.4, spec 97.5; sensitivity by volume: < 5 mL 71.8, 5-25 mL 100, > 25 mL 100",
    ),
    Anchor("Rapid ICH 3 (vendor, 881 scans)", "sens 97.84, spec 99.52 (ICH > 0.4 mL)"),
    Anchor("Rapid ICH, unselected emergency department (2026, 844)", "sens 87.3, spec 74.0"),
    Anchor("Aidoc (4,081 scans)", "sens 94.4, spec 97.4, PPV 85.9"),
    Anchor("Viz (4,081 scans)", "sens 59.5, spec 99.0; its counts reproduce neither"),
    Anchor("Aidoc (7,112 scans)", "sens 95, spec 99; prospective 1,446: PPV 81.8"),
    Anchor("Caire ICH (510 scans)", "sens 97.5, spec 100"),
    Anchor("Aidoc K180647", "sens 93.6, spec 92.3", True),
    Anchor("Viz K193658", "sens 93, spec 90", True),
    Anchor("qER K200921", "sens about 97, spec about 94", True),
)
