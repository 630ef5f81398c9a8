"""Tests of the artifact: a manifest survives the round trip, and every fault is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.artifact import (
    GOLDEN_FILE,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    ArtifactError,
    Manifest,
    calibrated,
    parse_manifest,
    sha256_of,
    verify_folder,
)
from service.types import LABELS
from tests.service.fakes import make_manifest

NAN = float("nan")


def calibrated_by(logits: np.ndarray, manifest: Manifest) -> np.ndarray:
    """Probabilities by the calibration of a manifest."""
    return calibrated(logits, manifest.temperatures, manifest.biases)


def changed(**fields: object) -> str:
    """The JSON of a valid manifest with fields replaced after it was written."""
    return json.dumps({**json.loads(make_manifest().to_json()), **fields})


def without(name: str) -> str:
    """The JSON of a valid manifest that lacks a field."""
    fields = json.loads(make_manifest().to_json())
    del fields[name]
    return json.dumps(fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder whose hashes are right."""
    (tmp_path / WEIGHTS_FILE).write_bytes(bytes(range(256)))
    (tmp_path / GOLDEN_FILE).write_bytes(b"golden")
    manifest = make_manifest(
        weights_sha256=sha256_of(tmp_path / WEIGHTS_FILE),
        golden_sha256=sha256_of(tmp_path / GOLDEN_FILE),
    )
    (tmp_path / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return tmp_path


def test_manifest_survives_the_round_trip() -> None:
    """What is written is what is read, field by field."""
    manifest = make_manifest(notice="Other.", training={"seed": 1}, biases=(0.5, 1, 2, 3, 4, -5))
    assert parse_manifest(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="not JSON"),
        pytest.param("[]", id="not an object"),
        pytest.param(without("fingerprint"), id="no fingerprint"),
        pytest.param(without("thresholds"), id="no thresholds"),
        pytest.param(without("weights_sha256"), id="no hash"),
        pytest.param(changed(surprise=1), id="unknown field"),
        pytest.param(changed(format_version=2), id="other format"),
        pytest.param(make_manifest(labels=LABELS[::-1]).to_json(), id="other labels"),
        pytest.param(changed(thresholds=[0.5] * 5), id="five thresholds"),
        pytest.param(changed(thresholds=[0.5] * 5 + [1.0]), id="threshold of one"),
        pytest.param(changed(thresholds=[0.0] + [0.5] * 5), id="threshold of zero"),
        pytest.param(changed(thresholds=["0.5"] * 6), id="threshold as text"),
        pytest.param(changed(temperatures=[1.0] * 5 + [0.0]), id="temperature of zero"),
        pytest.param(changed(temperatures=[1.0] * 7), id="seven temperatures"),
        pytest.param(changed(biases=[NAN] * 6), id="bias not a number"),
        pytest.param(changed(biases=[0.0]), id="one bias"),
        pytest.param(changed(fingerprint="0" * 64), id="other fingerprint"),
        pytest.param(changed(network={"kind": "fake", "windows": [[40, 81]]}), id="other window"),
    ],
)
def test_faulty_manifest_is_refused(text: str) -> None:
    """Each fault alone is enough to refuse the model."""
    with pytest.raises(ArtifactError):
        parse_manifest(text)


def test_fingerprint_follows_the_arithmetic_only() -> None:
    """Another window is another fingerprint; another threshold, note or key order is not."""
    first = make_manifest(network={"a": 1, "b": 2}).fingerprint()
    assert make_manifest(network={"b": 2, "a": 1}, notice="x").fingerprint() == first
    assert make_manifest(network={"a": 1, "b": 2}, thresholds=(0.1,) * 6).fingerprint() == first
    assert make_manifest(network={"a": 1, "b": 3}).fingerprint() != first


def test_intact_folder_is_accepted(folder: Path) -> None:
    """Right hashes give the manifest."""
    assert verify_folder(folder).name == "ich"


def flip_bit(path: Path) -> None:
    """Change the lowest bit of the byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    """Drop the last byte, as an interrupted copy does."""
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("fault", [flip_bit, cut, Path.unlink])
@pytest.mark.parametrize("name", [WEIGHTS_FILE, GOLDEN_FILE])
def test_damaged_file_is_refused(folder: Path, name: str, fault: Callable[[Path], None]) -> None:
    """One flipped bit, a missing byte or a missing file means that the model is not served."""
    fault(folder / name)
    with pytest.raises(ArtifactError):
        verify_folder(folder)


def test_folder_without_readable_manifest_is_refused(folder: Path) -> None:
    """Neither an absent manifest nor one that is no text is an unexpected error."""
    (folder / MANIFEST_FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError):
        verify_folder(folder)
    (folder / MANIFEST_FILE).unlink()
    with pytest.raises(ArtifactError):
        verify_folder(folder)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({}, 0.75),
        ({"temperatures": (0.5,) * 6}, 0.9),
        ({"biases": (float(-np.log(3)),) * 6}, 0.5),
    ],
    ids=["identity", "temperature", "bias"],
)
def test_calibration_by_hand(field: dict[str, Any], expected: float) -> None:
    """A logit of ln 3 is 3/4; at half the temperature 9/10; with a bias of -ln 3 one half."""
    logits = np.full((2, 6), np.log(3), np.float32)
    found = calibrated_by(logits, make_manifest(**field))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_calibration_is_per_label() -> None:
    """Each label has its own temperature and bias, in the order of the labels."""
    manifest = make_manifest(biases=(-2.0, -1.0, 0.0, 1.0, 2.0, 3.0))
    found = calibrated_by(np.zeros(6, np.float32), manifest)
    expected = [0.119203, 0.268941, 0.5, 0.731059, 0.880797, 0.952574]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_extreme_logits_saturate_without_a_warning() -> None:
    """Very large logits of either sign are 0 and 1, and numpy has nothing to warn of."""
    logits = np.array([-1e4, 1e4, -1e4, 1e4, -1e4, 1e4], np.float32)
    assert calibrated_by(logits, make_manifest()).tolist() == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]


POINTS = {"rule_out": (0.1,) * 6, "balanced": (0.2,) * 6, "rule_in": (None, *(0.9,) * 5)}


def test_operating_points_and_prevalence_survive_the_round_trip() -> None:
    """Null where a point is out of reach; tuples again after JSON."""
    manifest = make_manifest(operating_points=POINTS, assumed_prevalence=(None, *(0.1,) * 5))
    assert parse_manifest(manifest.to_json()) == manifest


def test_an_older_manifest_has_neither() -> None:
    """A manifest written before the fields existed is read, and both are empty."""
    fields = json.loads(make_manifest().to_json())
    del fields["operating_points"], fields["assumed_prevalence"]
    manifest = parse_manifest(json.dumps(fields))
    assert (manifest.operating_points, manifest.assumed_prevalence) == ({}, ())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"operating_points": {"rule_out": [0.1] * 6}}, id="one point of three"),
        pytest.param({"operating_points": POINTS | {"rule_in": [0.1] * 5}}, id="five labels"),
        pytest.param({"operating_points": POINTS | {"rule_in": [1.0] * 6}}, id="threshold of 1"),
        pytest.param({"operating_points": POINTS | {"rule_in": ["0.5"] * 6}}, id="text"),
        pytest.param({"operating_points": [0.5]}, id="no object"),
        pytest.param({"operating_points": None}, id="null"),
        pytest.param({"assumed_prevalence": [0.1] * 5}, id="five prevalences"),
        pytest.param({"assumed_prevalence": [0.0] * 6}, id="prevalence of 0"),
        pytest.param({"assumed_prevalence": [NAN] * 6}, id="prevalence of NaN"),
        pytest.param({"assumed_prevalence": [True] * 6}, id="prevalence of true"),
    ],
)
def test_impossible_operating_points_are_refused(fields: dict[str, Any]) -> None:
    """One fault in a valid manifest is enough."""
    with pytest.raises(ArtifactError):
        parse_manifest(changed(**fields))


MEASURED = {"max_probability_difference": 0.001, "flips": 0, "slices": 12}


def test_measured_precisions_survive_the_round_trip() -> None:
    """What the build measured of an engine is there at the choice; older manifests lack it."""
    manifest = make_manifest(precisions={"native-bf16": MEASURED})
    assert parse_manifest(manifest.to_json()).precisions == {"native-bf16": MEASURED}
    assert parse_manifest(without("precisions")).precisions == {}


@pytest.mark.parametrize(
    "precisions",
    [
        [],
        {"native-bf16": 0.001},
        {"native-bf16": {"flips": 0, "slices": 12}},
        {"native-bf16": {**MEASURED, "note": ""}},
        {"native-bf16": {**MEASURED, "max_probability_difference": NAN}},
        {"native-bf16": {**MEASURED, "max_probability_difference": -0.1}},
        {"native-bf16": {**MEASURED, "max_probability_difference": "0"}},
        {"native-bf16": {**MEASURED, "flips": -1}},
        {"native-bf16": {**MEASURED, "slices": 1.5}},
    ],
)
def test_impossible_precisions_are_refused(precisions: object) -> None:
    """A measurement that compares with nothing would allow any engine."""
    with pytest.raises(ArtifactError, match="precision"):
        parse_manifest(changed(precisions=precisions))
