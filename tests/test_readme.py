"""The README: its settings table is the code's, its commands exist, its answer has our shape."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from service.api.schemas import ClassifyAnswer
from service.config import Settings
from service.types import LABELS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MANIFEST = ROOT / "model_build" / "pretrained" / "conv_lstm" / "manifest.json"
RATES = ("sensitivity", "specificity")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "load_tests/README.md"]


def settings_table() -> str:
    """The table that the README must hold, one row per setting in the order of the code."""
    rows = [
        f"| `ICH_{name.upper()}` | `{field.default}` | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def results_table() -> str:
    """The table of the shipped model that the README must hold, from its manifest."""
    test = json.loads(MANIFEST.read_text(encoding="utf-8"))["evaluation"]["test"]
    compared = {row["name"]: row["figures"] for row in test["against_baseline"]["rows"]}
    rates = {row["name"]: row["figures"] for row in test["at_thresholds"]["rows"]}
    lines = ["| label | positive slices | AUROC | area baseline | sensitivity | specificity |"]
    lines.append("|---|---|---|---|---|---|")
    for row in test["discrimination"]["rows"]:
        name = row["name"]
        if name in LABELS:
            auroc, simple = compared[name]["auroc"], compared[name]["baseline_auroc"]
            at = [f"{100 * rates[name][rate]['value']:.1f} %" for rate in RATES]
            cells = [name, str(row["positives"]), figure(auroc), figure(simple), *at]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figure(estimate: dict[str, float | None]) -> str:
    """Value [low, high] with three decimals."""
    low, high = estimate["low"], estimate["high"]
    ends = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    return f"{estimate['value']:.3f}{ends}"


def test_the_results_are_those_of_the_manifest() -> None:
    """No figure of the shipped model is typed by hand; print the table when it differs."""
    assert results_table() in README, f"the table should be\n{results_table()}"


def test_the_settings_table_is_that_of_the_code() -> None:
    """Every setting with its default and its meaning; print the table when it is not."""
    assert settings_table() in README, f"the table should be\n{settings_table()}"


def test_every_make_command_of_the_documentation_exists() -> None:
    """What a reader types must be a target."""
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.M))
    # Commands stand in code: a line of their own, or between backticks.
    command = re.compile(r"(?:^|`)make ([a-z][a-z-]+)", re.M)
    named = {name for page in PAGES for name in command.findall(page.read_text(encoding="utf-8"))}
    assert {"serve", "test", "train", "train-quick", "load"} <= named
    assert named <= targets


def test_the_answer_in_the_readme_has_the_shape_of_an_answer() -> None:
    """The JSON on the first screen is read by the schema that the service answers with."""
    (answer,) = re.findall(r"```json\n(.*?)```", README, re.S)
    parsed = ClassifyAnswer.model_validate(json.loads(answer))
    assert parsed.slices[0].status == "classified"


def test_the_first_screen_says_what_it_is() -> None:
    """Synthetic images, research use and the two commands come within the first forty lines."""
    screen = "\n".join(README.splitlines()[:40])
    for words in ("synthetic images only", "not a medical device", "make serve", "make test"):
        assert words in screen, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_says_research_use(page: Path) -> None:
    """No page that shows a result lets it pass for a product."""
    assert "not a medical device" in page.read_text(encoding="utf-8")
