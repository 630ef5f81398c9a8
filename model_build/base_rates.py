"""Base rates: what the natural share of hemorrhage does to accuracy, PPV and log loss.

Computed from the published file counts (spec/evaluation.md section 4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from model_build import published
from model_build.evaluation_tables import PREVALENCES
from model_build.metrics import CHALLENGE_WEIGHTS
from service.types import LABELS

WINNING_LOSS = 0.044  # RSNA 2019, private leaderboard, published


def slices() -> int:
    """Files that the paper counts: positive and negative."""
    return published.FILES_PER_LABEL["any"] + published.NEGATIVE_FILES


def natural() -> Mapping[str, float]:
    """Share of slices that are positive, per label, 0..1."""
    return {label: count / slices() for label, count in published.FILES_PER_LABEL.items()}


def always_negative_accuracy() -> float:
    """Mean per-label accuracy, 0..1, of a predictor that never finds anything."""
    return 1.0 - sum(natural().values()) / len(LABELS)


def ppv(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Positive predictive value; every argument and the result in 0..1.

    Raises:
        ValueError: nothing would be called positive.
    """
    hits = sensitivity * prevalence
    called = hits + (1.0 - specificity) * (1.0 - prevalence)
    if called == 0:
        raise ValueError("nothing is called positive, so there is no predictive value")
    return hits / called


def npv(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Negative predictive value; as `ppv` with the classes exchanged."""
    return ppv(specificity, sensitivity, 1.0 - prevalence)


def claimed_ppv() -> Mapping[str, float]:
    """PPV, 0..1, that the paper's own sensitivity and specificity give at usual prevalences."""
    rates = published.CONV_LSTM.rates
    pair = rates.sensitivity / 100, rates.specificity / 100
    return {name: ppv(*pair, share) for name, share in PREVALENCES.items()}


def prior_loss() -> Mapping[str, float]:
    """Cross-entropy in nats of always answering the natural prevalence, per label."""
    return {label: _entropy(share) for label, share in natural().items()}


def weighted_prior_loss() -> float:
    """The challenge's weighted log loss of that answer (`any` counts twice)."""
    losses = prior_loss()
    weighted = zip(CHALLENGE_WEIGHTS, LABELS, strict=True)
    return float(
        sum(weight * losses[label] for weight, label in weighted) / CHALLENGE_WEIGHTS.sum()
    )


def _entropy(share: float) -> float:
    return -share * math.log(share) - (1.0 - share) * math.log1p(-share)
