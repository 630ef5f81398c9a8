"""Tests of the model card: every word of it comes from the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.artifact import Manifest
from service.card.page import render
from service.types import LABELS


def manifest(
    training: Mapping[str, Any] | None = None, evaluation: Mapping[str, Any] | None = None
) -> Manifest:
    """A manifest with nothing but what it must have."""
    return Manifest(
        name="test_model",
        version="9.8.7",
        network={"name": "conv_lstm", "config": {"size": 512}, "fixed_windows": []},
        labels=LABELS,
        thresholds=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        temperatures=(1.5,) * 6,
        biases=(-0.25,) * 6,
        weights_sha256="a" * 64,
        golden_sha256="b" * 64,
        golden_tolerance={"float32": 1e-3},
        training=dict(training or {}),
        evaluation=dict(evaluation or {}),
    )


def line_of(text: str, name: str) -> str:
    """The value of one `- **name**: value` line."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"- **{name}**: ")]
    return line.split(": ", 1)[1]


def test_an_empty_manifest_states_nothing() -> None:
    """Facts that are missing are not stated; none is invented."""
    text = render(manifest())
    for name in (
        "Trained on",
        "Licence of the training source",
        "Reference standard",
        "Partition level",
        "Test set",
        "Weighted log loss",
        "Hardware",
        "External evaluation",
    ):
        assert line_of(text, name) == "not stated"
    assert "Figures: not stated." in text
    assert "the manifest holds no evaluation" in text


def test_facts_are_shown_as_they_are() -> None:
    """Name, thresholds, calibration, hashes and training facts stand in the card."""
    text = render(manifest({"licence": "CC0-1.0", "slices": {"train": 12, "test": 3}}))
    assert text.startswith("# Model card: test_model 9.8.7\n")
    assert "| epidural | 0.1000 | 1.5000 | -0.2500 |" in text
    assert line_of(text, "Licence of the training source") == "CC0-1.0"
    assert line_of(text, "Partition, slices") == "train 12; test 3"
    assert line_of(text, "weights SHA-256") == "a" * 64


def test_the_notice_is_never_missing() -> None:
    """Not a medical device, synthetic images only: the first thing that is read."""
    head = render(manifest()).splitlines()[2]
    assert "synthetic images only" in head
    assert "not a medical device" in head


def test_every_table_of_the_evaluation_is_shown() -> None:
    """Also those that are nested or listed under a name this code does not know."""
    row = {"name": "any", "positives": 4, "threshold": 0.5}
    figures = {"sensitivity": {"value": 0.5, "low": 0.25, "high": 0.75, "method": "x"}}
    one = {"title": "New table", "columns": ["sensitivity"], "rows": [{**row, "figures": figures}]}
    text = render(manifest(evaluation={"test": {"further": [one]}, "real": {"new": one}}))
    assert text.count("### New table") == 2
    assert text.count("| any | 4 | 0.500 | 50.0 [25.0, 75.0] |") == 2


def test_a_cell_cannot_break_its_table() -> None:
    """A bar or a line break in a name stays inside its cell."""
    row = {"name": "a|b\nc", "positives": 1, "figures": {}}
    table = {"title": "T", "columns": ["auroc"], "rows": [row]}
    text = render(manifest(evaluation={"test": {"t": table}}))
    assert "| a\\|b c | 1 | not stated |" in text
