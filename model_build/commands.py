"""Commands: what each command of `python -m model_build` does.

Each imports what it needs: `save --pretrained` runs where only the serving requirements are
installed (the container build), and `--help` answers at once.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_build.adapters.records import SliceSource
    from model_build.config import Recipe
    from model_build.slice_set import SliceSet
    from model_build.splits import Parts


def run(options: Namespace) -> None:
    """Everything: phantoms, train, evaluate, save."""
    for step in (phantoms, train, evaluate, save):
        step(options)


def phantoms(options: Namespace) -> None:
    """The recipe's phantoms; on request a picture of them and a check of their statistics.

    Raises:
        ValueError: a statistic of the phantoms is outside its limits (`--check`).
    """
    from model_build import run as way

    folder = data_folder(options)
    way.phantoms(recipe_of(options), folder, options.workers)
    if getattr(options, "preview", None):
        from model_build.synthetic.preview import contact_sheet

        shown = contact_sheet(folder, options.preview, options.beside, outline=options.outline)
        print(f"{shown} slices in {options.preview}")
    if getattr(options, "check", False):
        from model_build.synthetic import validation

        found = validation.check(folder, beside=options.beside)
        print(found.text())
        if not found.passed:
            raise ValueError("the phantoms miss a limit of their own statistics")


def train(options: Namespace) -> None:
    """Train or resume; under torchrun with several processes."""
    from model_build import distributed
    from model_build import run as way

    place = distributed.join()
    try:
        if not place.is_first:
            place.barrier()  # the first process decodes, the others then find the cache
        source, parts = prepared(options)
        if place.is_first:
            place.barrier()
        way.train(recipe_of(options), source, parts, run_folder(options), place)
    finally:
        distributed.leave()


def evaluate(options: Namespace) -> None:
    """Finish a training, or score another labelled folder with a finished model."""
    from model_build import distributed

    if getattr(options, "model", None):
        evaluate_elsewhere(options)
        return
    from model_build import finish
    from model_build import run as way
    from model_build.evaluation_report import render

    recipe = recipe_of(options)
    distributed.join()  # alone here; it also sets the allocator, without which a CPU is slow
    network = way.trained(recipe, run_folder(options))
    source, parts = prepared(options)
    data = data_folder(options)
    report = finish.finish(recipe, source, parts, network, run_folder(options), data)
    print(render(report, finish.DATA_NOTE))


def precisions(options: Namespace) -> None:
    """Measure every engine of lower precision on held-out slices, into the manifest of a model.

    Raises:
        ValueError: these are not the slices that the model was trained and tested with.
    """
    from model_build import distributed, export
    from model_build import precisions as measuring
    from model_build import run as way
    from service.artifact import verify_folder

    folder = export.PRETRAINED if options.pretrained else run_folder(options) / "model"
    known = verify_folder(folder).training.get("data_sha256")
    distributed.join()  # alone here; it also sets the allocator, without which a CPU is slow
    source, parts = prepared(options)
    # A slice of another set may be one that the model has learnt from.
    if way.data_hash(source) != known:
        raise ValueError("the slices are not those of the model's training; nothing was measured")
    rows = measuring.spread(parts["test"], options.slices)
    manifest = measuring.record(folder, source, rows, compiled=True)
    print("\n".join(measuring.lines(manifest)))


def evaluate_elsewhere(options: Namespace) -> None:
    """A labelled folder scored by a finished model.

    Raises:
        ValueError: no folder was given.
    """
    from model_build.external import evaluate_external

    if options.root is None:
        raise ValueError("`evaluate --model` needs the folder of the slices: --root DIR")
    out = options.out or Path(options.home) / "external"
    kind = options.data or "rsna"
    evaluate_external(options.root, options.labels, options.model, out=out, data=kind)


def save(options: Namespace) -> None:
    """Copy a model folder into the BentoML store."""
    from model_build import export

    folder, name = export.PRETRAINED, export.MODEL_NAME
    if not options.pretrained:
        folder, name = run_folder(options) / "model", f"{name}_{options.recipe}"
    print(f"model in the store: {export.save_to_store(folder, name)}")


def sample(options: Namespace) -> None:
    """The sample slice of the repository."""
    from model_build.sample import write_sample

    write_sample(options.path)


def inspect(options: Namespace) -> None:
    """Read a data set and say what it holds and what is wrong with it; changes nothing."""
    from model_build.inspect_folder import inspect_folder

    limits = options.workers, options.limit
    found = inspect_folder(options.data, options.root, options.labels, *limits)
    print("\n".join(found.lines()))


def compare(options: Namespace) -> None:
    """Train what is not trained yet within the budget, then write the report."""
    from model_build import comparison

    for path in comparison.run(options):
        print(path)


def card(options: Namespace) -> None:
    """The model card of the committed model, as docs/model-card.md."""
    from model_build import card as page

    print(page.write())


def gate_limits(options: Namespace) -> None:
    """The content check on phantoms and on folders of DICOM files; `make gate-docs` shows it."""
    from model_build import gate_limits as measuring

    sets = measuring.measured(options.heads, options.others, options.series, options.workers)
    measuring.write(sets, options.out or measuring.MEASURED)
    print("\n".join(item.line() for item in sets))


def recipe_of(options: Namespace) -> Recipe:
    """The recipe that was named, with what the command line changes of it."""
    from model_build.recipes import RECIPES

    recipe = RECIPES[options.recipe]
    series = getattr(options, "series", None)
    return recipe if series is None else replace(recipe, phantom_series=series)


def data_folder(options: Namespace) -> Path:
    """Where the labelled slices lie: phantoms of the recipe unless another root was given."""
    return Path(options.root or Path(options.home) / "phantoms" / options.recipe)


def run_folder(options: Namespace) -> Path:
    """Where the run of the recipe keeps its state."""
    return Path(options.home) / "runs" / str(options.recipe)


def prepared(options: Namespace) -> tuple[SliceSet, Parts]:
    """The decoded slices and their splits."""
    from model_build import run as way

    source = source_of(options)
    cache = Path(options.home) / "cache"
    return way.prepare(recipe_of(options), data_folder(options), cache, options.workers, source)


def source_of(options: Namespace) -> SliceSource | None:
    """The data set that was named; None for the recipe's phantoms."""
    if options.data is None:
        return None
    from model_build.adapters.catalog import open_source

    return open_source(options.data, data_folder(options), options.labels, options.workers)
