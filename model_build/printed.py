"""Printed: single numbers and sentences of the papers that contradict one another, as data.

Only what `inconsistencies` computes with; the tables themselves are in `published`. Percent unless
a name says otherwise. Claimed, not reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """A confusion matrix of images."""

    tp: int
    fp: int
    tn: int
    fn: int


# Rajagopal et al. 2023, running text.
ACCURACY_AT_500 = 95.70
U_NET_PRECISION = 77.39
FILE_WITH_MANY = 40_373  # "the 40,373-byte file has many hemorrhages"
WINDOW_TABLE, WINDOW_TABLE_CITED = 4, 2
CONVOLUTIONAL_UNITS, UNITS, UNITS_DESCRIBED = 4, 6, 5
SUBDURAL_CODE, SUBDURAL_MISPRINT = "SBD", "SDB"
PATIENT_SHARES: tuple[tuple[int, int], ...] = ((29, 30), (14, 15))  # section 5.4, "29 out of 30"
CLAIMED_GAIN = (0.1, 0.5)
EPOCHS = 500
STUDIES = 21_784  # scans behind the RSNA slices (Salehinejad 2021)
FORWARD_FLOP = 15.13e9  # one slice, ten windows, forward (computed from the paper's shapes)
FORWARD_AND_BACKWARD = 3  # a training step costs about three forwards
HOST_FLOP_PER_S = 50e9  # generous for the named i5 at 2.3 GHz

# Anjum & Oberoi 2022: 20 test images, ten of each class.
IMAGES, PER_CLASS = 20, 10
TABLE_1_EPOCH_24 = Counts(tp=9, fp=0, tn=10, fn=1)  # printed: FP 0, FN 1
TABLE_1_METRICS = {
    "accuracy": 95.0,
    "precision": 90.90,
    "sensitivity": 100.0,
    "specificity": 90.0,
    "f1": 95.23,
}
# Table 2: what is printed, and the only counts of ten and ten that fit the rest of the row.
TABLE_2_F1: Mapping[int, tuple[float, Counts]] = {
    4: (85.0, Counts(10, 3, 7, 0)),
    12: (95.0, Counts(10, 0, 10, 0)),
    20: (78.28, Counts(9, 4, 6, 1)),
}
TABLE_2_PRECISION_12 = 95.54
TABLE_2_ACCURACY_24 = 95.5
# Sharath et al., for the same "95 %".
SHARATH = Counts(tp=9, fp=0, tn=10, fn=1)

# Kumar 2021.
KUMAR_IMAGES = 762_131
KUMAR_DETECTION = 0.027  # probability that Fig. 12 calls a detection
