"""Failures: the known failure modes that follow from the evaluation inside a manifest.

Each rule names its limit; a rule whose figures are missing says so by giving nothing, and the card
then prints what was not evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from service.card.text import at, figure

LEAST_AUROC = 0.80  # lower end of the interval
LEAST_SENSITIVITY = 0.80  # point value at the operating threshold
LARGEST_ECE = 0.03
FEWEST_POSITIVES = 100  # below, an interval of a sensitivity near 95 % is wider than 9 points

Test = Mapping[str, Any]


def known(test: Any) -> list[str]:  # noqa: ANN401
    """Sentences on what this model is known to do badly; empty where nothing was evaluated.

    Args:
        test: the evaluation on held-out data, as stored in the manifest.
    """
    if not isinstance(test, Mapping):
        return []
    return [sentence for rule in RULES if (sentence := rule(test))]


def _figures(test: Test, table: str, column: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Label and estimate of every label row (averages have no count of positives)."""
    for row in at(test, table, "rows") or ():
        estimate = at(row, "figures", column)
        if at(row, "positives") is not None and isinstance(estimate, Mapping):
            yield str(at(row, "name")), estimate


def _not_above_baseline(test: Test) -> str:
    rows = list(_figures(test, "against_baseline", "difference"))
    found = [
        f"{name} ({figure('difference', value)})"
        for name, value in rows
        if value.get("low") is None or value["low"] <= 0
    ]
    text = "Not shown to be better than the threshold-and-area baseline (difference in AUROC): "
    return text + ", ".join(found) + "." if found else ""


def _weak_auroc(test: Test) -> str:
    found = [
        f"{name} ({figure('auroc', value)})"
        for name, value in _figures(test, "discrimination", "auroc")
        if value.get("low") is None or value["low"] < LEAST_AUROC
    ]
    text = f"AUROC not shown to reach {LEAST_AUROC:.2f}: "
    return text + ", ".join(found) + "." if found else ""


def _missed(test: Test) -> str:
    found = [
        f"{name} ({figure('sensitivity', value)} %)"
        for name, value in _figures(test, "at_thresholds", "sensitivity")
        if value.get("value") is None or value["value"] < LEAST_SENSITIVITY
    ]
    text = f"At its threshold it finds fewer than {100 * LEAST_SENSITIVITY:.0f} % of: "
    return text + ", ".join(found) + "." if found else ""


def _miscalibrated(test: Test) -> str:
    found = [
        f"{name} ({figure('ece', value)})"
        for name, value in _figures(test, "discrimination", "ece")
        if value.get("value") is None or value["value"] > LARGEST_ECE
    ]
    text = f"Calibration error (ECE) above {LARGEST_ECE:.2f}: "
    return text + ", ".join(found) + "." if found else ""


def _few(test: Test) -> str:
    rows = at(test, "discrimination", "rows") or ()
    counts = {str(at(row, "name")): at(row, "positives") for row in rows}
    found = [
        f"{name} ({count})"
        for name, count in counts.items()
        if count is not None and count < FEWEST_POSITIVES
    ]
    text = f"Fewer than {FEWEST_POSITIVES} positive test slices, so little is known: "
    return text + ", ".join(found) + "." if found else ""


def _inconsistent(test: Test) -> str:
    share = at(test, "any_consistent_share")
    if share is None or share >= 1:
        return ""
    return (
        f"p(any) is below the probability of a subtype on {100 * (1 - share):.1f} % of slices: "
        "reported as `any_consistent`, not forced."
    )


RULES: tuple[Callable[[Test], str], ...] = (
    _not_above_baseline,
    _weak_auroc,
    _missed,
    _miscalibrated,
    _few,
    _inconsistent,
)
