"""Page: the whole model card, Model Facts first and then the items of CLAIM.

manifest -> `render` -> markdown. Written at run time, so it cannot differ from what is served.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from service.artifact import Manifest
from service.card import claimed, doubt, failures
from service.card.text import (
    NOT_STATED,
    at,
    bullets,
    evaluation_tables,
    render_table,
    stated,
    table,
    words,
)

Facts = Mapping[str, Any]
USES = (
    "Research on head CT slices: six probabilities a slice, in the order of the labels. Not for "
    "diagnosis, triage or any other decision about a patient."
)
MECHANISM = (
    "The slice in Hounsfield units is windowed inside the network; logits become probabilities by "
    "p = sigmoid(logit / temperature + bias); a finding is p >= threshold."
)


def render(manifest: Manifest) -> str:
    """The model card of a manifest, as GitHub markdown."""
    facts: Facts = json.loads(manifest.to_json())
    head = f"# Model card: {manifest.name} {manifest.version}\n\n**{manifest.notice}**"
    note = "Written from the manifest of the model; what it lacks is printed as *not stated*."
    parts = [head, note, *_model_facts(facts), *_performance(facts), *_claim(facts)]
    return "\n\n".join(parts) + "\n"


def _model_facts(facts: Facts) -> list[str]:
    training, test = facts["training"], at(facts, "evaluation", "test")
    rows = [
        ("Name and version", f"{facts['name']} {facts['version']}"),
        ("Summary", f"{at(facts, 'network', 'name')}: six labels ({', '.join(facts['labels'])})"),
        ("Mechanism", MECHANISM),
        ("Uses and directions", USES),
        ("Trained on", at(training, "data")),
        ("Evaluated on", at(facts, "evaluation", "data")),
        ("Test set", _test_set(test)),
        ("Prevalence that the probabilities assume", _assumed(facts)),
        ("Positive slices in the training split", _positive_share(training)),
        ("Weighted log loss", _loss(test)),
        *doubt.lines(test),
    ]
    warnings = [facts["notice"], *failures.known(test)]
    listed = "\n".join(f"- {sentence}" for sentence in warnings)
    if not isinstance(test, Mapping):
        listed += f"\n- Performance is {NOT_STATED}: the manifest holds no evaluation."
    return ["## Model facts", bullets(rows), "### Warnings and known failure modes", listed]


def _test_set(test: Any) -> str | None:  # noqa: ANN401
    slices, patients = at(test, "slices"), at(test, "patients")
    return None if slices is None else f"{slices:,} slices of {stated(patients)} patients"


def _assumed(facts: Facts) -> dict[str, str] | None:
    """What the calibrated probabilities assume, per label."""
    pairs = zip(facts["labels"], facts.get("assumed_prevalence") or (), strict=False)
    return {label: f"{100 * share:.1f} %" for label, share in pairs if share is not None} or None


def _positive_share(training: Any) -> dict[str, str] | None:  # noqa: ANN401
    """Share of positive training slices, per label, from the counts in the manifest."""
    total, counts = at(training, "slices", "train"), at(training, "positives", "train")
    if not total or not isinstance(counts, Mapping):
        return None
    return {label: f"{100 * count / total:.1f} %" for label, count in counts.items()}


def _loss(test: Any) -> str | None:  # noqa: ANN401
    loss = at(test, "challenge_loss")
    ends = [at(loss, key) for key in ("value", "low", "high")]
    if any(value is None for value in ends):
        return None
    value, low, high = ends
    return f"{value:.4f} [{low:.4f}, {high:.4f}] (RSNA 2019: `any` counts twice)"


def _performance(facts: Facts) -> list[str]:
    """Thresholds and calibration, every table of the evaluation, and the papers' claims."""
    points = facts.get("operating_points") or {}
    columns = ("thresholds", "temperatures", "biases")
    rows = []
    for index, label in enumerate(facts["labels"]):
        values = [facts[column][index] for column in columns]
        chosen = [_point(values, index) for values in points.values()]
        rows.append([label, *(f"{value:.4f}" for value in values), *chosen])
    head = ["label", "threshold", "temperature", "bias", *map(words, points)]
    parts = ["## Thresholds and calibration", table(head, rows)]
    if not points:
        parts.append(f"Operating points (rule out, balanced, rule in): {NOT_STATED}.")
    parts.append("## Measured performance")
    found = list(evaluation_tables(facts["evaluation"]))
    for where, content in found:
        parts += [f"### {stated(content.get('title'))} ({where})", render_table(content)]
    if found:
        parts.append("Brackets: 95 % interval; the method of each is in the manifest.")
    return parts + ([] if found else [f"Figures: {NOT_STATED}."]) + claimed.section(facts)


def _point(values: Any, index: int) -> str:  # noqa: ANN401
    value = values[index] if isinstance(values, list) and index < len(values) else None
    return "not reachable" if value is None else f"{value:.4f}"


def _claim(facts: Facts) -> list[str]:
    """CLAIM: source, reference standard, partition, preprocessing, model, training, analysis."""
    training, network = facts["training"], facts["network"]
    split = {name: at(training, name) for name in ("slices", "patients", "positives")}
    windows = at(network, "fixed_windows")
    hashes = ("fingerprint", "weights_sha256", "golden_sha256")
    rows = [
        ("Source and eligibility", at(training, "data")),
        ("Licence of the training source", at(training, "licence")),
        ("Hash of the training data", at(training, "data_sha256")),
        ("Left out", at(training, "left_out")),
        ("Reference standard", at(training, "reference_standard")),
        ("Partition level", at(training, "partition")),
        *((f"Partition, {name}", value) for name, value in split.items()),
        ("Preprocessing, windows (name, centre, width in HU)", windows),
        ("Model", {"network": at(network, "name"), "configuration": at(network, "config")}),
        ("Parameters", at(training, "parameters")),
        ("Initialisation", at(training, "initialisation")),
        ("Training recipe", at(training, "recipe")),
        ("Slices seen", at(training, "slices_seen")),
        ("Seconds per stage", at(training, "seconds")),
        ("Hardware", at(training, "hardware")),
        ("Software", {"torch": at(training, "torch")}),
        ("Finished", at(training, "finished")),
        ("Interruptions", at(training, "interruptions")),
        ("External evaluation", _external(facts)),
        ("Failure analysis", "the warnings above, computed from the evaluation"),
        ("Golden tolerance", facts["golden_tolerance"]),
        *((name.replace("_", " ").replace("sha256", "SHA-256"), facts[name]) for name in hashes),
    ]
    return ["## CLAIM items", bullets(rows)]


def _external(facts: Facts) -> Any:  # noqa: ANN401
    """What was measured on data of another source; its tables are among the figures above."""
    external = at(facts, "evaluation", "external")
    if not isinstance(external, Mapping):
        return external
    plain = {key: value for key, value in external.items() if not list(evaluation_tables(value))}
    return plain or "see the tables above"
