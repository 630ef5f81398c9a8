"""Tests of training several networks and of the report on them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from model_build import compare
from model_build.compare import train_all, within
from model_build.config import Recipe
from tests.factories import head_hu
from tests.model_build.run_folders import write_run

RECIPE = Recipe(
    name="quick",
    seed=7,
    phantom_series=6,
    batch=8,
    learning_rate=1e-3,
    window_passes=(640, 0, 40),
    joint_passes=2000,
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, object]]:
    """Page and JSON of a report on two runs, one with a name that would be markup."""
    home = tmp_path_factory.mktemp("home")
    names = ("main", "<script>x")
    for name, network in zip(names, ("conv_lstm", "bhcnet"), strict=True):
        write_run(home / "runs" / name, network)
    paths = compare.compare(
        names, home, budget="small", voxels_of=lambda _: (head_hu(), (40.0, 80.0))
    )
    page, data = (path.read_text(encoding="utf-8") for path in paths)
    return page, json.loads(data)


def test_page_says_what_it_may_be_taken_for(report: tuple[str, dict[str, object]]) -> None:
    """Research use, synthetic images, and a small budget named as such."""
    page, data = report
    for words in (
        "not a medical device",
        "synthetic images only",
        "Training budget: small",
        "Made-up scores",
    ):
        assert words in page
        assert words in json.dumps(data)


def test_page_is_self_contained_and_small(report: tuple[str, dict[str, object]]) -> None:
    """Nothing is loaded from anywhere, and it fits into a mail."""
    page, _ = report
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)"', page))
    assert not re.search(r'(?:href|url)="?\(?https?:', page)
    assert len(page) < 3_000_000


def test_text_from_outside_is_escaped(report: tuple[str, dict[str, object]]) -> None:
    """A run's name is text, never markup."""
    assert "<script>" not in report[0]
    assert "&lt;script&gt;x" in report[0]


def test_page_has_all_its_parts(report: tuple[str, dict[str, object]]) -> None:
    """Tables, drawings, examples, fourteen inconsistencies; headings that links reach."""
    page, data = report
    assert page.count("<li>") > 14
    inconsistencies = data["inconsistencies"]
    assert isinstance(inconsistencies, list)
    assert len(inconsistencies) == 14
    for target in re.findall(r'href="#([a-z]+)"', page):
        assert f'id="{target}"' in page
    assert page.count('class="example"') > 4
    assert "93.87" in page


def test_json_keeps_claims_and_measurements_apart(report: tuple[str, dict[str, object]]) -> None:
    """Two keys; the claimed one has its heading, ours the runs."""
    _, data = report
    claimed, measured = data["claimed"], data["measured"]
    assert isinstance(claimed, dict)
    assert isinstance(measured, dict)
    assert claimed["heading"] == "claimed, not reproduced"
    assert set(measured) == {"main", "<script>x"}


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_no_names_or_one_twice_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A report of nothing, or with a row twice, helps nobody."""
    with pytest.raises(ValueError, match="each once"):
        compare.compare(names, tmp_path)


def test_budget_cuts_slices_seen_and_renames() -> None:
    """Fewer passes, never less than a batch; the other settings stay."""
    expected = replace(RECIPE, name="quick-tiny", window_passes=(32, 0, 8), joint_passes=100)
    assert within(RECIPE, "tiny") == expected
    assert within(RECIPE, "small") == RECIPE
    with pytest.raises(ValueError, match="unknown budget"):
        within(RECIPE, "huge")


def test_only_unfinished_runs_are_trained(tmp_path: Path) -> None:
    """A finished run is left alone; the next one is trained into its own folder."""
    done, fresh = RECIPE, replace(RECIPE, name="fresh")
    write_run(tmp_path / "runs" / "quick-tiny", "conv_lstm")
    trained = []

    def train(recipe: Recipe, folder: Path) -> None:
        trained.append(recipe.name)
        write_run(folder, "conv_lstm")

    names = train_all([done, fresh], tmp_path, train, budget="tiny")
    assert names == ("quick-tiny", "fresh-tiny")
    assert trained == ["fresh-tiny"]


def test_a_training_that_leaves_nothing_is_an_error(tmp_path: Path) -> None:
    """The report would otherwise fail later, and less clearly."""
    with pytest.raises(FileNotFoundError, match="quick left no finished run"):
        train_all([RECIPE], tmp_path, lambda _recipe, _folder: None)
