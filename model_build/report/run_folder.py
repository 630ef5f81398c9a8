"""Run folder: reads what a finished training left behind, for the report.

runs/<name>/ losses.jsonl, training.json, evaluation.json, scores.npz, model/ -> `read_run` -> Run
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_build import curves
from model_build.curves import Curve
from model_build.evaluation_report import JSON_FILE
from model_build.evaluation_table import Estimate
from model_build.scores import SCORES_FILE, Scores, read_scores
from service.artifact import MANIFEST_FILE, WEIGHTS_FILE, Manifest, parse_manifest
from service.types import LABELS

TRAINING_FILE, MODEL_FOLDER = "training.json", "model"
# Kept with the weights, but counted, not learned.
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
HEADER_LENGTH = 8  # bytes: a safetensors file opens with the length of its JSON header


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: its facts, its figures, its scores on the test split, its curves."""

    name: str
    manifest: Manifest
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    scores: Scores
    curves: tuple[Curve, ...]
    parameters: int

    @property
    def network(self) -> str:
        """Name of the network in the registry."""
        return str(self.manifest.network["name"])

    def figure(self, table: str, row: str, column: str) -> Estimate | None:
        """One figure of the evaluation; None where it was not computed.

        Args:
            table: its key in evaluation.json, or the beginning of the title of a further table.
            row: name of the label or average.
            column: key of the figure.
        """
        for found in self.rows(table):
            if found["name"] == row and column in found["figures"]:
                return Estimate(**found["figures"][column])
        return None

    def has(self, table: str) -> bool:
        """Does the evaluation hold this table?"""
        return bool(self.rows(table))

    @property
    def assumed_prevalence(self) -> float | None:
        """Share of positive slices (any) that the probabilities assume; None: as sampled."""
        shares = self.evaluation.get("assumed_prevalence") or (None,) * len(LABELS)
        return shares[LABELS.index("any")]

    def curves_of(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """The curves of this kind in the evaluation, by label."""
        found = self.evaluation.get("curves", ())
        return {curve["label"]: curve for curve in found if curve["kind"] == kind}

    def rows(self, table: str) -> Sequence[Mapping[str, Any]]:
        """The rows of a table, named as for `figure`; empty where there is none."""
        tables = [self.evaluation.get(table)]
        tables += [t for t in self.evaluation.get("further", ()) if t["title"].startswith(table)]
        return next((found["rows"] for found in tables if found), ())

    @property
    def challenge_loss(self) -> Estimate | None:
        """The weighted log loss of the RSNA challenge."""
        found = self.evaluation.get("challenge_loss")
        return None if found is None else Estimate(**found)


def is_finished(folder: Path) -> bool:
    """Does the folder hold everything that a report reads?"""
    files = (curves.FILE, TRAINING_FILE, JSON_FILE, SCORES_FILE, f"{MODEL_FOLDER}/{MANIFEST_FILE}")
    return all((folder / file).is_file() for file in files)


def read_run(folder: Path) -> Run:
    """Read a finished run.

    Raises:
        FileNotFoundError: the run is not finished; the message names it.
        ValueError: a file of it is not what it should be.
        ArtifactError: its manifest is not one.
    """
    if not is_finished(folder):
        raise FileNotFoundError(f"the run {folder.name} is not finished; train and evaluate it")
    model = folder / MODEL_FOLDER
    return Run(
        name=folder.name,
        manifest=parse_manifest((model / MANIFEST_FILE).read_text(encoding="utf-8")),
        training=json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8")),
        evaluation=json.loads((folder / JSON_FILE).read_text(encoding="utf-8")),
        scores=_test_scores(folder),
        curves=curves.read(folder),
        parameters=count_parameters(model / WEIGHTS_FILE),
    )


def _test_scores(folder: Path) -> Scores:
    """The scores of the test split, checked to be probabilities.

    Raises:
        ValueError: they are not between 0 and 1, or the file is not what it should be.
    """
    test, _ = read_scores(folder)
    if not ((test.probabilities >= 0) & (test.probabilities <= 1)).all():
        raise ValueError(f"the probabilities of {folder.name} must lie between 0 and 1")
    return test


def count_parameters(path: Path) -> int:
    """Number of learned weights of a safetensors file, from its header alone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file.
    """
    with path.open("rb") as stream:
        try:
            (length,) = struct.unpack("<Q", stream.read(HEADER_LENGTH))
            if length > path.stat().st_size:
                raise ValueError("header longer than the file")
            header = json.loads(stream.read(length))
        except (struct.error, ValueError) as error:
            raise ValueError(f"{path.name} is not a safetensors file") from error
    tensors = {key: item for key, item in header.items() if key != "__metadata__"}
    learned = [item for key, item in tensors.items() if key.rsplit(".", 1)[-1] not in BUFFERS]
    return sum(math.prod(item["shape"]) for item in learned)
