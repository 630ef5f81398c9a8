"""Claimed: what the paper claims beside what was measured here, each in its own column.

The claims come from the manifest (`evaluation.published`), where the build step has put them:
heading, source, auroc and f1 per label, rates, natural_prevalence, always_negative_accuracy and
claimed_ppv, all in percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.card.text import NOT_STATED, at, bullets, stated, table

MACRO = "macro of 6"
MEASURED = "measured on the test data of this card"
Facts = Mapping[str, Any]


def section(facts: Facts) -> list[str]:
    """The claimed-against-measured table and the facts of prevalence; blocks of markdown."""
    published = at(facts, "evaluation", "published")
    if not isinstance(published, Mapping):
        return ["## Claimed and measured", f"Published figures: {NOT_STATED}."]
    test = at(facts, "evaluation", "test")
    heading = stated(published.get("heading"))
    source = stated(published.get("source"))
    rows = [*_per_label(published, test), *_rates(published, test)]
    head = ["figure (%)", f"{source}: {heading}", MEASURED]
    prevalence = [
        ("Natural share of positive slices (%)", published.get("natural_prevalence")),
        (
            "Mean per-label accuracy of always answering no (%)",
            published.get("always_negative_accuracy"),
        ),
        (
            "PPV of the paper's own sensitivity and specificity (%)",
            published.get("claimed_ppv"),
        ),
    ]
    return [
        "## Claimed and measured",
        "Other data, other patients: the columns stand side by side and are not a comparison.",
        table(head, rows),
        "### Prevalence",
        bullets(prevalence),
    ]


def _per_label(published: Facts, test: Any) -> list[list[str]]:  # noqa: ANN401
    places = {"auroc": ("discrimination", "AUROC"), "f1": ("at_half", "F1 at 0.5")}
    rows = []
    for column, (part, title) in places.items():
        for label, value in (at(published, column) or {}).items():
            measured = _measured(test, part, str(label), column)
            rows.append([f"{title}, {label}", _percent(value), measured])
    return rows


def _rates(published: Facts, test: Any) -> list[list[str]]:  # noqa: ANN401
    rates = at(published, "rates") or {}
    return [
        [f"{column} at 0.5, {MACRO}", _percent(value), _measured(test, "at_half", MACRO, column)]
        for column, value in rates.items()
    ]


def _measured(test: Any, part: str, name: str, column: str) -> str:  # noqa: ANN401
    """One figure of the evaluation in percent, with its interval."""
    for row in at(test, part, "rows") or ():
        if at(row, "name") == name:
            found = [at(row, "figures", column, key) for key in ("value", "low", "high")]
            shown = [f"{100 * value:.1f}" for value in found if value is not None]
            if found[0] is None:
                return "undefined"
            return shown[0] if len(shown) < 3 else f"{shown[0]} [{shown[1]}, {shown[2]}]"
    return NOT_STATED


def _percent(value: Any) -> str:  # noqa: ANN401
    return f"{value:.2f}" if isinstance(value, int | float) else NOT_STATED
