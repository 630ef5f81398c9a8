"""Artifact: the manifest that travels with the weights, and the checks made before they are used.

A model folder (in the BentoML store, or as committed in the repository) holds
    model.safetensors    the weights
    manifest.json        what the network is, what it was trained on, hashes (this module)
    golden.safetensors   a few inputs and the logits they must give: voxels_hu int16 (N, 512, 512),
                         windows float32 (N, 2), logits float32 (N, 6)
No torch here: the HTTP skin shows the manifest, training writes it, the predictor obeys it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.types import LABELS

WEIGHTS_FILE = "model.safetensors"
MANIFEST_FILE = "manifest.json"
GOLDEN_FILE = "golden.safetensors"
FORMAT_VERSION = 1
# At least 95 % sensitivity, the largest Youden index, a PPV of at least 80 % at 10 % prevalence.
OPERATING_POINTS: tuple[str, ...] = ("rule_out", "balanced", "rule_in")

PRECISION_FIELDS: frozenset[str] = frozenset({"max_probability_difference", "flips", "slices"})


class ArtifactError(Exception):
    """The artifact is absent, incomplete or not what its manifest says; never served."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about a model but its weights.

    `network` is the registry name and its configuration (windows, order, sizes); `thresholds` and
    `calibration` are per label in the order of `labels`; p = sigmoid(logit / temperature + bias).
    `assumed_prevalence` is the share of positive slices that p is calibrated for, and
    `operating_points` are further thresholds per label, both null where validation slices could
    not tell; empty in manifests older than the fields. `precisions` holds what was measured of
    engines with lower precision than float32, by engine and precision (`native-bf16`):
    {"max_probability_difference": share, "flips": decisions, "slices": compared}.
    """

    name: str
    version: str
    network: dict[str, Any]
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    temperatures: tuple[float, ...]
    biases: tuple[float, ...]
    weights_sha256: str
    golden_sha256: str
    golden_tolerance: dict[str, float]
    assumed_prevalence: tuple[float | None, ...] = ()
    operating_points: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    precisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    notice: str = (
        "Trained on synthetic images only; clinical performance unknown. "
        "Research use, not a medical device."
    )
    format_version: int = FORMAT_VERSION

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of what decides the arithmetic (network and labels)."""
        decisive = {"network": self.network, "labels": self.labels}
        text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """Readable JSON, keys in the order of the fields."""
        return json.dumps({**asdict(self), "fingerprint": self.fingerprint()}, indent=2) + "\n"


def calibrated(
    logits: npt.NDArray[np.floating[Any]], temperatures: Sequence[float], biases: Sequence[float]
) -> npt.NDArray[np.float64]:
    """P = sigmoid(logit / temperature + bias) per label: (..., 6) logits -> (..., 6) in 0..1.

    The one place where the formula of `Manifest` is computed: serving and evaluation call it.
    """
    scaled = np.asarray(logits, np.float64) / np.asarray(temperatures, np.float64)
    shifted = scaled + np.asarray(biases, np.float64)
    # 1 / (1 + exp(-x)) overflows, which numpy warns of, below x = -709.
    probabilities: npt.NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -shifted))
    return probabilities


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in chunks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def parse_manifest(text: str) -> Manifest:
    """Read and check a manifest.

    Raises:
        ArtifactError: not JSON, unknown or missing fields, wrong labels, lengths, numbers or
            fingerprint.
    """
    try:
        fields = json.loads(text)
        fingerprint = fields.pop("fingerprint")
        lists = ("labels", "thresholds", "temperatures", "biases")
        fields |= {name: tuple(fields[name]) for name in lists} | _optional(fields)
        manifest = Manifest(**fields)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError("manifest.json is not a manifest of this format") from error
    if manifest.format_version != FORMAT_VERSION:
        raise ArtifactError("manifest.json is of another format version")
    if manifest.labels != LABELS:
        raise ArtifactError("the labels of the manifest are not those of the service")
    per_label = (manifest.thresholds, manifest.temperatures, manifest.biases)
    if any(len(values) != len(LABELS) for values in per_label):
        raise ArtifactError("thresholds and calibration must have one value per label")
    _check_numbers(manifest)
    _check_optional(manifest)
    _check_precisions(manifest)
    if manifest.fingerprint() != fingerprint:
        raise ArtifactError("the fingerprint does not match the network of the manifest")
    return manifest


def _check_numbers(manifest: Manifest) -> None:
    """Refuse operating points that would make every answer wrong without any error.

    Raises:
        ArtifactError: a value is no finite number, or outside its range.
    """
    values = (*manifest.thresholds, *manifest.temperatures, *manifest.biases)
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        raise ArtifactError("thresholds and calibration must be finite numbers")
    if not all(0 < value < 1 for value in manifest.thresholds):
        raise ArtifactError("a threshold must lie between 0 and 1")
    if min(manifest.temperatures) <= 0:
        raise ArtifactError("a temperature must be positive")


def _optional(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that older manifests lack, as the tuples that JSON made lists of."""
    points = fields.get("operating_points", {})
    return {
        "assumed_prevalence": tuple(fields.get("assumed_prevalence", ())),
        "operating_points": {name: tuple(values) for name, values in points.items()},
    }


def _check_optional(manifest: Manifest) -> None:
    """Refuse prevalences and operating points that are no shares or not one per label.

    Raises:
        ArtifactError: as said, or there are some of the three operating points and not all.
    """
    points = manifest.operating_points
    if points and set(points) != set(OPERATING_POINTS):
        raise ArtifactError("the operating points must be rule_out, balanced and rule_in")
    rows = [
        *points.values(),
        *([manifest.assumed_prevalence] if manifest.assumed_prevalence else []),
    ]
    if any(len(row) != len(LABELS) for row in rows):
        raise ArtifactError("operating points and prevalence must have one value per label")
    known = [value for row in rows for value in row if value is not None]
    if not all(type(value) in (int, float) and 0 < value < 1 for value in known):
        raise ArtifactError("operating points and prevalence must lie between 0 and 1")


def _check_precisions(manifest: Manifest) -> None:
    """Refuse a measurement that cannot be compared with a limit: it would allow anything.

    Raises:
        ArtifactError: other fields than the three, no finite difference, or no counts.
    """
    if not isinstance(manifest.precisions, dict):
        raise ArtifactError("the precisions must be measurements by name")
    for entry in manifest.precisions.values():
        if not isinstance(entry, dict) or set(entry) != PRECISION_FIELDS:
            raise ArtifactError("a measured precision must have its three fields")
        worst, counts = entry["max_probability_difference"], (entry["flips"], entry["slices"])
        if type(worst) not in (int, float) or not 0 <= worst <= 1:
            raise ArtifactError("the difference of a precision must lie between 0 and 1")
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ArtifactError("flips and slices of a precision must be counts")


def verify_folder(folder: Path) -> Manifest:
    """Read the manifest of a model folder and check the hash of every file it names.

    Raises:
        ArtifactError: a file is missing or its SHA-256 differs.
    """
    try:
        manifest = parse_manifest((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        found = {name: sha256_of(folder / name) for name in (WEIGHTS_FILE, GOLDEN_FILE)}
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError("a file of the model folder cannot be read") from error
    expected = {WEIGHTS_FILE: manifest.weights_sha256, GOLDEN_FILE: manifest.golden_sha256}
    for name, digest in expected.items():
        if found[name] != digest:
            raise ArtifactError(f"the SHA-256 of {name} differs from the manifest")
    return manifest
