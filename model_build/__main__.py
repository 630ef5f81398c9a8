"""Main: the command line of the build step.

python -m model_build run --recipe cpu        phantoms, train, evaluate, save: everything
python -m model_build phantoms --recipe cpu   the data alone
python -m model_build train --recipe cpu      train or resume (under torchrun for many GPUs)
python -m model_build evaluate --recipe cpu   calibrate, evaluate, write the model folder
python -m model_build save --recipe cpu       copy the model folder into the BentoML store
python -m model_build save --pretrained       the same with the weights of the repository
python -m model_build sample PATH             write the sample slice of the repository
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from model_build.config import RECIPES, Recipe
from service.artifact import ArtifactError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    commands: Mapping[str, Callable[[argparse.Namespace], None]] = {
        "run": _run,
        "phantoms": _phantoms,
        "train": _train,
        "evaluate": _evaluate,
        "save": _save,
        "sample": _sample,
    }
    try:
        commands[options.command](options)
    except (ArtifactError, ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


# Each command imports what it needs: `save --pretrained` runs where only the serving requirements
# are installed (the container build), and `--help` answers at once.


def _run(options: argparse.Namespace) -> None:
    for step in (_phantoms, _train, _evaluate, _save):
        step(options)


def _phantoms(options: argparse.Namespace) -> None:
    from model_build import run

    run.phantoms(_recipe(options), _data(options), options.workers)


def _train(options: argparse.Namespace) -> None:
    from model_build import distributed, run

    recipe = _recipe(options)
    place = distributed.join()
    try:
        if not place.is_first:
            place.barrier()  # the first process decodes, the others then find the cache
        source, parts = run.prepare(recipe, _data(options), _cache(options), options.workers)
        if place.is_first:
            place.barrier()
        run.train(recipe, source, parts, _folder(options), place)
    finally:
        distributed.leave()


def _evaluate(options: argparse.Namespace) -> None:
    from model_build import distributed, run
    from model_build.checkpoint import read
    from model_build.evaluation_report import render
    from service.model.conv_lstm import ConvLstm

    recipe = _recipe(options)
    distributed.join()  # alone here; it also sets the allocator, without which a CPU is slow
    state = read(_folder(options))
    if state is None or state.stage != "done":
        raise FileNotFoundError("there is no finished training of this recipe; run `train` first")
    source, parts = run.prepare(recipe, _data(options), _cache(options), options.workers)
    network = ConvLstm(recipe.size, window_head=True)
    network.load_state_dict(state.networks["conv_lstm"])
    report = run.finish(source, parts, network, _folder(options))
    print(render(report, run.DATA_NOTE))


def _save(options: argparse.Namespace) -> None:
    from model_build import export

    folder, name = export.PRETRAINED, export.MODEL_NAME
    if not options.pretrained:
        folder, name = _folder(options) / "model", f"{name}_{options.recipe}"
    print(f"model in the store: {export.save_to_store(folder, name)}")


def _sample(options: argparse.Namespace) -> None:
    from model_build.sample import write_sample

    write_sample(options.path)


def _recipe(options: argparse.Namespace) -> Recipe:
    return RECIPES[options.recipe]


def _data(options: argparse.Namespace) -> Path:
    return Path(options.data or options.home / "phantoms" / options.recipe)


def _cache(options: argparse.Namespace) -> Path:
    return Path(options.home) / "cache"


def _folder(options: argparse.Namespace) -> Path:
    recipe: str = options.recipe
    return Path(options.home) / "runs" / recipe


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_build", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "phantoms", "train", "evaluate", "save"):
        command = commands.add_parser(name)
        command.add_argument("--recipe", choices=sorted(RECIPES), default="cpu")
        command.add_argument("--home", type=Path, default=Path(".state/build"))
        command.add_argument("--data", type=Path, help="labelled folder in the RSNA layout")
        command.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
        if name in ("run", "save"):
            command.add_argument("--pretrained", action="store_true", help="save what is committed")
    commands.add_parser("sample").add_argument("path", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
