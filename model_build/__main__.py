"""Main: the command line of the build step.

python -m model_build run --recipe cpu        phantoms, train, evaluate, save: everything
python -m model_build phantoms --recipe cpu   the data alone (--preview FILE.png, --check)
python -m model_build inspect --data rsna --root DIR    what a data set holds and what is wrong
python -m model_build train --recipe cpu      train or resume (under torchrun for many GPUs)
python -m model_build evaluate --recipe cpu   calibrate, evaluate, write the model folder
python -m model_build evaluate --data rsna --root DIR --labels CSV --model TAG
                                              score other labelled slices with a finished model
python -m model_build precisions --recipe cpu  how far bf16 moves the answers, into the manifest
python -m model_build compare --budget small  train every network, write one report
python -m model_build save --recipe cpu       copy the model folder into the BentoML store
python -m model_build save --pretrained       the same with the weights of the repository
python -m model_build card                    docs/model-card.md from the committed manifest
python -m model_build gate-limits --heads DIR --others DIR
                                              how many heads the content check would refuse
python -m model_build sample PATH             write the sample slice of the repository
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from model_build import commands
from service.artifact import ArtifactError

HOME = Path(".state/build")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        getattr(commands, options.command.replace("-", "_"))(options)
    except (ArtifactError, ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_build", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    found = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "phantoms", "train", "evaluate", "precisions", "save"):
        _add_recipe(found.add_parser(name), name)
    _add_compare(found.add_parser("compare"))
    _add_inspect(found.add_parser("inspect"))
    _add_gate_limits(found.add_parser("gate-limits"))
    found.add_parser("card")
    found.add_parser("sample").add_argument("path", type=Path)
    return parser


def _add_recipe(command: argparse.ArgumentParser, name: str) -> None:
    from model_build.recipes import RECIPES

    command.add_argument("--recipe", choices=sorted(RECIPES), default="cpu")
    command.add_argument("--home", type=Path, default=HOME)
    command.add_argument("--series", type=int, help="phantom series, instead of the recipe's")
    _add_data(command)
    if name in ("run", "precisions", "save"):
        command.add_argument("--pretrained", action="store_true", help="the committed model")
    if name == "precisions":
        command.add_argument("--slices", type=int, help="so many of the test slices; all without")
    if name in ("run", "phantoms"):
        command.add_argument("--preview", type=Path, help="contact sheet to write, PNG")
        command.add_argument(
            "--beside", type=Path, help="folder of real DICOM to show or check beside"
        )
        command.add_argument("--outline", action="store_true", help="draw the lesion masks")
        command.add_argument("--check", action="store_true", help="test the statistics")
    if name == "evaluate":
        command.add_argument("--model", help="tag in the store, or a model folder")
        command.add_argument("--out", type=Path, help="folder for external.json")


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", help="kind of data set; phantoms of the recipe without it")
    command.add_argument("--root", type=Path, help="folder of the labelled slices")
    command.add_argument("--labels", type=Path, help="label table, if it is not in the folder")
    command.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))


def _add_compare(command: argparse.ArgumentParser) -> None:
    command.add_argument("--networks", default="", help="recipes, comma separated; all without it")
    command.add_argument("--budget", choices=("small", "tiny"), default="small")
    command.add_argument("--series", type=int, help="phantom series, instead of the recipe's")
    command.add_argument("--home", type=Path, default=HOME)
    _add_data(command)


def _add_inspect(command: argparse.ArgumentParser) -> None:
    _add_data(command)
    command.add_argument("--limit", type=int, help="read at most so many slices")
    command.set_defaults(data="rsna")


def _add_gate_limits(command: argparse.ArgumentParser) -> None:
    command.add_argument("--heads", type=Path, action="append", default=[], metavar="DIR")
    command.add_argument("--others", type=Path, action="append", default=[], metavar="DIR")
    command.add_argument("--series", type=int, default=20, help="phantom series to generate")
    command.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    command.add_argument("--out", type=Path, help="JSON to write instead of the committed one")


if __name__ == "__main__":
    sys.exit(main())
