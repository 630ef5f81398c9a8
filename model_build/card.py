"""Card: writes the model card of the documentation from the manifest of the shipped weights.

manifest.json -> `service.card` (which also answers /v1/model/card) -> docs/model-card.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model_build import base_rates, published
from service.artifact import MANIFEST_FILE, parse_manifest
from service.card.page import render

ROOT = Path(__file__).parents[1]
MANIFEST = Path(__file__).parent / "pretrained" / "conv_lstm" / MANIFEST_FILE
CARD = ROOT / "docs" / "model-card.md"


def card_of(manifest: Path = MANIFEST) -> str:
    """The card of a manifest file, as markdown.

    Raises:
        ArtifactError: it is not a manifest.
        FileNotFoundError: there is none.
    """
    return render(parse_manifest(manifest.read_text(encoding="utf-8")))


def write(manifest: Path = MANIFEST, path: Path = CARD) -> Path:
    """Write the card; returns where. Raises as `card_of`."""
    text = card_of(manifest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def published_facts() -> dict[str, Any]:
    """What the manifest carries of the paper (`evaluation.published`); figures in percent."""
    return {
        "heading": published.HEADING,
        "source": published.PAPER,
        "auroc": dict(published.AUROC),
        "f1": dict(published.CONV_LSTM.f1),
        "rates": asdict(published.CONV_LSTM.rates),
        "natural_prevalence": _percent(base_rates.natural()),
        "always_negative_accuracy": round(100 * base_rates.always_negative_accuracy(), 3),
        "claimed_ppv": _percent(base_rates.claimed_ppv()),
    }


def _percent(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(100 * share, 3) for name, share in shares.items()}
