"""Comparison: `python -m model_build compare`: every network on the same slices, one report.

phantoms (or --data) -> one split -> each recipe: train, finish -> U-Net -> compare/index.html
"""

from __future__ import annotations

import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np

from model_build import compare, distributed, finish
from model_build import run as way
from model_build.adapters.catalog import open_source
from model_build.companion_recipes import COMPANIONS
from model_build.companions import segmentation_data, unet_run
from model_build.companions.unet_training import UnetSettings
from model_build.config import Recipe
from model_build.recipes import RECIPES
from model_build.report.examples import slices_of
from model_build.slice_set import SliceSet
from model_build.splits import Parts

PHANTOMS = "compare"  # one set for all: every companion recipe has the same seed
UNET_SIZE = 128  # pixels; a part of 512 that two cores can train on
UNET_EPOCHS = {"small": 6, "tiny": 10}  # one epoch of 200 slices called nothing a lesion
UNET_SLICES = {"small": 1_500, "tiny": 300}


def run(options: Namespace) -> tuple[Path, Path]:
    """Train what has no finished run yet, then write the page and its JSON; returns their paths.

    Raises:
        ValueError: an unknown network or budget, or a data set that cannot train.
    """
    recipes = _recipes(options)
    home = Path(options.home)
    data = Path(options.root or home / "phantoms" / PHANTOMS)
    source = None
    if options.data is None:
        way.phantoms(recipes[0], data, options.workers)
    else:
        source = open_source(options.data, data, options.labels, options.workers)
    slices, parts = way.prepare(recipes[0], data, home / "cache", options.workers, source)
    distributed.join()
    names = compare.train_all(recipes, home, _training(slices, parts, data), budget=options.budget)
    _keep_ablations(home, names)
    if slices.masks is not None:
        _segment(slices, home, options.budget)
    return compare.compare(names, home, budget=options.budget, voxels_of=slices_of(slices))


def _recipes(options: Namespace) -> list[Recipe]:
    """The named recipes, all of them on the first one's phantoms.

    Raises:
        ValueError: a name is not that of a recipe.
    """
    names = [name for name in str(options.networks).split(",") if name]
    unknown = sorted(set(names) - set(RECIPES))
    if unknown:
        raise ValueError(f"unknown networks: {', '.join(unknown)}")
    found = [RECIPES[name] for name in names] or list(COMPANIONS)
    if options.series is None:
        return found
    return [replace(recipe, phantom_series=options.series) for recipe in found]


def _training(slices: SliceSet, parts: Parts, data: Path) -> compare.Train:
    def train(recipe: Recipe, folder: Path) -> None:
        place = distributed.join()
        way.train(recipe, slices, parts, folder, place)
        finish.finish(recipe, slices, parts, way.trained(recipe, folder), folder, data)

    return train


def _keep_ablations(home: Path, names: tuple[str, ...]) -> None:
    """The Conv-LSTM's ablations stand where the report looks for them."""
    for name in names:
        found = home / compare.RUNS / name / finish.ABLATIONS_FILE
        if found.exists():
            shutil.copyfile(found, home / compare.ABLATIONS_FILE)


def _segment(slices: SliceSet, home: Path, budget: str) -> None:
    """Cross-validate the U-Net on a part of the same slices, small pictures for two cores."""
    rows = np.flatnonzero(slices.usable)
    rows = rows[:: max(1, len(rows) // UNET_SLICES[budget])]
    settings = UnetSettings(size=UNET_SIZE, base=16, epochs=UNET_EPOCHS[budget])
    data = segmentation_data.from_slices(slices, UNET_SIZE, rows)
    folder = home / Path(compare.UNET_FILE).parent
    note = f"{finish.DATA_NOTE} {UNET_SIZE} pixels, {len(data)} slices, budget {budget}."
    unet_run.run_unet(data, settings, folder, distributed.join().device, data_note=note)
