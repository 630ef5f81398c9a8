"""Published: the figures that the papers claim, as data; claimed, not reproduced.

Percent unless a name says otherwise, labels in the order of `service.types.LABELS`. These never
share a column with a figure of ours. Sources: Rajagopal et al. 2023 (Brain Sci. 13, 400), Tables
1-3 and 5-8; Anjum & Oberoi 2022; Sharath et al.; Kumar 2021; Sreelakshmi et al. 2023; Hssayeni et
al. 2020 (Data 5(1):14).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.types import LABELS

HEADING = "claimed, not reproduced"
PAPER = "Rajagopal et al. 2023"


@dataclass(frozen=True, slots=True)
class Rates:
    """The four rates of the paper's tables, in percent."""

    sensitivity: float
    specificity: float
    precision: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class System:
    """One row of Tables 7 and 8; `network` is the name of ours that stands beside it, or ""."""

    name: str
    rates: Rates
    f1: Mapping[str, float]
    network: str = ""


@dataclass(frozen=True, slots=True)
class Companion:
    """One row of another study, in percent; None where the study prints nothing usable."""

    study: str
    name: str
    setting: str
    network: str
    accuracy: float | None = None
    precision: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    f1: float | None = None
    images: int | None = None  # size of the test set, where it is small enough to matter


def _by_label(some: float, *subtypes: float) -> dict[str, float]:
    """The paper prints `some` first; here it is the last label, `any`."""
    return dict(zip(LABELS, (*subtypes, some), strict=True))


# Table 5: Conv-LSTM after so many epochs.
EPOCHS: Mapping[int, Rates] = {
    100: Rates(92.09, 94.90, 94.57, 94.91),
    200: Rates(93.18, 96.52, 95.10, 95.60),
    300: Rates(92.75, 95.10, 95.79, 94.43),
    400: Rates(94.54, 95.31, 94.90, 95.70),
    500: Rates(95.20, 96.80, 96.27, 96.58),
}
# Table 6: ROC-AUC.
AUROC: Mapping[str, float] = _by_label(94.74, 93.11, 95.13, 93.06, 95.11, 95.37)

# Tables 7 (rates) and 8 (F1).
RESNEXT = System(
    "ResNeXt",
    Rates(87.84, 90.78, 94.86, 90.71),
    _by_label(88.74, 84.51, 89.69, 85.12, 90.71, 91.62),
    "resnext50",
)
U_NET = System(
    "U-Net",
    Rates(64.54, 87.21, 88.39, 87.50),
    _by_label(84.17, 82.88, 86.74, 77.97, 87.18, 86.24),
    "unet",
)
WA_ANN = System(
    "WA-ANN",
    Rates(64.87, 72.15, 71.94, 70.27),
    _by_label(72.15, 72.14, 72.74, 71.86, 72.64, 71.45),
)
CONV_LSTM = System(
    "Conv-LSTM",
    Rates(93.87, 96.45, 95.21, 95.14),  # also the abstract and the conclusion
    _by_label(94.63, 93.15, 94.87, 93.16, 95.61, 95.37),
    "conv_lstm",
)
SYSTEMS: tuple[System, ...] = (
    RESNEXT,
    System(
        "SVM",
        Rates(75.12, 78.64, 79.27, 78.24),
        _by_label(74.88, 72.94, 77.17, 73.84, 79.14, 79.67),
    ),
    System(
        "CNN",
        Rates(86.61, 88.94, 87.98, 87.63),
        _by_label(88.91, 83.74, 87.16, 83.51, 88.37, 87.38),
        "slice_cnn",
    ),
    System(
        "AlexNet+SVM",
        Rates(92.45, 93.74, 93.67, 93.18),
        _by_label(92.17, 90.45, 92.67, 91.47, 93.08, 92.87),
    ),
    U_NET,
    WA_ANN,
    CONV_LSTM,
)

# Tables 1-3: files of the RSNA 2019 training set.
KAGGLE_FILES, FILES_LEFT_OUT = 752_803, 269
NEGATIVE_FILES = 644_708
FILES_PER_LABEL: Mapping[str, int] = dict(
    zip(LABELS, (3_145, 36_115, 26_204, 35_675, 47_060, 107_826), strict=True)
)
FILES_BY_SUBTYPES: Mapping[int, int] = {1: 75_755, 2: 24_823, 3: 6_217, 4: 1_008, 5: 23}
SPLIT_SLICES: Mapping[str, int] = {"train": 72_516, "val": 7_515, "test": 7_512}

ANJUM, KUMAR = "Anjum & Oberoi 2022", "Kumar 2021"
COMPANIONS: tuple[Companion, ...] = (
    Companion(
        ANJUM, "CNN", "balanced, 24 epochs", "bhcnet", 95.0, 90.90, 100.0, 90.0, 95.23, images=20
    ),
    Companion(
        ANJUM, "BHCNet", "imbalanced, 12 epochs", "bhcnet", 100.0, 95.54, 100.0, 100.0, 95.0, 20
    ),
    # The precision of this row is misprinted in the study.
    Companion(ANJUM, "CNN+LSTM", "balanced", "bhcnet_lstm", 90.0, 93.34, 90.0, 90.0, 90.0, 20),
    Companion(ANJUM, "CNN+LSTM", "imbalanced", "bhcnet_lstm", 95.0, 90.0, 100.0, 90.0, 95.23, 20),
    Companion(KUMAR, "CNN", "10 epochs", "cnn_128", 86.0, 89.0, 96.0, f1=92.0),
    Companion(KUMAR, "DenseNet121", "10 epochs", "densenet121", 90.0, 95.0, 94.0, f1=94.0),
    Companion(KUMAR, "Xception", "10 epochs", "xception", 91.0, 95.0, 95.0, f1=95.0),
    Companion("Sreelakshmi et al. 2023", "CNN-RNN", "about", "cnn_rnn", 85.0),
)
ANJUM_CURVE: Mapping[int, float] = {1: 60.0, 5: 74.0, 10: 74.71, 30: 93.53}  # accuracy by epoch

# Hssayeni et al. 2020, U-Net, five folds: Dice as a fraction; "any" is over all types.
DICE: Mapping[str, float] = dict(zip(LABELS, (0.35, 0.28, 0.30, 0.23, 0.52, 0.31), strict=True))
