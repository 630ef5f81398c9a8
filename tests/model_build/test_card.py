"""Tests of the committed model card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model_build import card, published
from service.artifact import ArtifactError, parse_manifest
from service.card.page import render


def test_the_committed_card_is_the_rendering_of_the_committed_manifest() -> None:
    """docs/model-card.md is never edited by hand; `python -m model_build card` writes it."""
    assert card.CARD.read_text(encoding="utf-8") == card.card_of()


def test_card_is_written_where_asked(tmp_path: Path) -> None:
    """The file holds the card of the manifest given."""
    path = card.write(path=tmp_path / "docs" / "card.md")
    assert path.read_text(encoding="utf-8") == card.card_of()


def test_a_card_of_something_else_is_refused(tmp_path: Path) -> None:
    """What is not a manifest gives no card."""
    wrong = tmp_path / "manifest.json"
    wrong.write_text("{}")
    with pytest.raises(ArtifactError):
        card.card_of(wrong)


def test_published_facts_reach_the_card_under_their_heading() -> None:
    """With the paper's figures in the manifest the card shows them as claims, beside ours."""
    manifest = parse_manifest(card.MANIFEST.read_text(encoding="utf-8"))
    facts = {**manifest.evaluation, "published": card.published_facts()}
    text = render(replace(manifest, evaluation=facts))
    assert f"Rajagopal et al. 2023: {published.HEADING}" in text
    row = next(line for line in text.splitlines() if line.startswith("| AUROC, any"))
    claimed, measured = row.split("|")[2:4]
    assert claimed.strip() == "94.74"
    assert measured.strip() not in ("", "not stated")
    assert "94.33" in text
