"""Compare: trains the named networks on one data set and writes one report, HTML and JSON.

recipes -> `train_all` -> run folders -> `compare` -> compare/index.html, compare/compare.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_build.config import Recipe
from model_build.report.run_folder import Run, is_finished, read_run

if TYPE_CHECKING:
    from model_build.report.examples import Voxels

RUNS, REPORT = "runs", "compare"
PAGE_FILE, DATA_FILE = "index.html", "compare.json"
ABLATIONS_FILE, UNET_FILE = "ablations.json", "unet/result.json"
# Share of the slices that a recipe sees. The recipes are small ones: none is as long as a paper's.
BUDGETS: Mapping[str, float] = {"small": 1.0, "tiny": 0.05}
PASSES = "_passes"  # by convention such fields of a recipe count slices seen

Train = Callable[[Recipe, Path], None]  # one recipe, from data to a finished run in this folder


def within(recipe: Recipe, budget: str) -> Recipe:
    """The recipe cut to a budget: fewer slices seen, everything else as it was.

    The name says so, so that a small run never stands in the folder of a full one.

    Raises:
        ValueError: no such budget.
    """
    if budget not in BUDGETS:
        raise ValueError(f"unknown budget {budget}; there are {', '.join(BUDGETS)}")
    share = BUDGETS[budget]
    if share == 1.0:
        return recipe
    changes: dict[str, Any] = {"name": f"{recipe.name}-{budget}"}
    for field in fields(recipe):
        if field.name.endswith(PASSES):
            changes[field.name] = _cut(getattr(recipe, field.name), share, recipe.batch)
    return replace(recipe, **changes)


def train_all(
    recipes: Sequence[Recipe], home: Path, train: Train, *, budget: str = "small"
) -> tuple[str, ...]:
    """Train every recipe whose run is not finished; returns the names of the runs.

    Args:
        recipes: what to train, in order.
        home: run folders are its runs/<name>.
        train: trains, calibrates and evaluates one recipe; resumes what it finds.
        budget: a key of `BUDGETS`.

    Raises:
        ValueError: no such budget.
        FileNotFoundError: `train` returned without a finished run.
    """
    names: list[str] = []
    for recipe in (within(recipe, budget) for recipe in recipes):
        folder = home / RUNS / recipe.name
        if not is_finished(folder):
            print(f"training {recipe.name} ({len(names) + 1} of {len(recipes)})")
            train(recipe, folder)
        if not is_finished(folder):
            raise FileNotFoundError(f"the training of {recipe.name} left no finished run")
        names.append(recipe.name)
    return tuple(names)


def compare(
    names: Sequence[str],
    home: Path,
    *,
    budget: str = "small",
    voxels_of: Voxels | None = None,
    output: Path | None = None,
) -> tuple[Path, Path]:
    """Write the report on finished runs; the first name is the main model.

    Args:
        names: of run folders under home/runs.
        home: also looked in for ablations.json and unet/result.json, both optional.
        budget: what the training was given, named on the page.
        voxels_of: the slices behind the names in scores.npz; without it the page shows none.
        output: folder of the report, home/compare by default.

    Returns:
        Paths of the page and of the JSON.

    Raises:
        ValueError: no names, one twice, or a file that is not what it should be.
        FileNotFoundError: a run is not finished.
        KeyError: `voxels_of` does not know a slice of the main model's test split.
    """
    if not names or len(set(names)) < len(names):
        raise ValueError("name the runs to compare, each once")
    runs = tuple(read_run(home / RUNS / name) for name in names)
    # Plotting and templating are needed here only, not where networks are trained.
    from model_build.report import networks, page

    content = page.Content(
        runs=runs,
        budget=budget,
        examples=_examples(runs[0], voxels_of),
        ablations=networks.ablations(_optional(home / ABLATIONS_FILE)),
        unet=_optional(home / UNET_FILE),
    )
    folder = output or home / REPORT
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / PAGE_FILE, folder / DATA_FILE
    paths[0].write_text(page.html(content), encoding="utf-8")
    paths[1].write_text(page.data(content), encoding="utf-8")
    return paths


def _examples(run: Run, voxels_of: Voxels | None) -> tuple[Any, ...]:
    if voxels_of is None:
        return ()
    from model_build.report import examples

    return tuple(examples.draw(run, examples.choose(run), voxels_of))


def _optional(path: Path) -> Mapping[str, Any] | None:
    """A JSON object that need not exist.

    Raises:
        ValueError: it exists and is no JSON object.
    """
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not a JSON object")
    return content


def _cut(passes: int | tuple[int, ...], share: float, least: int) -> int | tuple[int, ...]:
    """A share of a number of slices, at least one batch; nothing stays nothing."""
    if isinstance(passes, tuple):
        return tuple(max(least, round(share * count)) if count else 0 for count in passes)
    return max(least, round(share * passes)) if passes else 0
