"""Precisions: what moves the answers is measured on held-out slices and written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model_build import export, precisions, run
from model_build.__main__ import main
from model_build.export import write_folder
from model_build.precisions import engines_of, measure, record, spread
from service.artifact import Manifest, verify_folder
from service.engine.native.library import Variant
from service.engine.parity import measured
from service.model.cnn_128 import Cnn128
from service.model.conv_lstm import ConvLstm
from tests.model_build.phantom_set import SIZE, slice_set
from tests.model_build.test_export import FACTS
from tests.service.engine.engines import FakeEngine, Logits
from tests.service.fakes import make_manifest

WINDOWS = np.tile(np.float32([40, 80]), (2, 1))


def off_by(difference: float) -> Any:
    """What moves a logit of 0 by about that much in probability."""

    def move(logits: Logits) -> Logits:
        return logits + np.float32(4 * difference)

    return move


def batches(*values: int) -> Iterator[Any]:
    """Pairs of slices, whose logits in the fake reference are value / 100."""
    for value in values:
        yield np.full((2, 4, 4), value, np.int16), WINDOWS


def test_the_largest_difference_over_all_slices_is_found() -> None:
    """Three batches of two slices; only the one near p = 0.5 moves by all of 0.004."""
    half = FakeEngine(precision="bf16", wrong=off_by(0.004))
    found = measure(FakeEngine("torch"), [half], batches(300, 0, 500), make_manifest())
    agreement = found["native-bf16"]
    assert agreement.max_probability_difference == pytest.approx(0.004, abs=1e-5)
    assert (agreement.flips, agreement.slices, agreement.holds) == (0, 6, True)


def test_a_decision_that_flips_is_counted() -> None:
    """Logits of -0.03 become 0.01: over the threshold of one half, on two slices of six labels."""
    half = FakeEngine(precision="bf16", wrong=off_by(0.01))
    found = measure(FakeEngine("torch"), [half], batches(-3), make_manifest())
    assert (found["native-bf16"].flips, found["native-bf16"].holds) == (12, False)


def test_variants_of_one_name_count_as_their_worst() -> None:
    """The manifest speaks of engine and precision; any processor's variant must keep it."""
    engines = [FakeEngine(precision="bf16", wrong=off_by(each)) for each in (0.002, 0.004, 0.001)]
    found = measure(FakeEngine("torch"), engines, batches(0), make_manifest())
    assert found["native-bf16"].max_probability_difference == pytest.approx(0.004, abs=1e-5)


def test_slices_are_taken_from_end_to_end() -> None:
    """Evenly, first and last among them; all where there are no more."""
    rows = np.arange(100, 200)
    assert spread(rows, 4).tolist() == [100, 133, 166, 199]
    assert spread(rows, None) is rows
    assert spread(rows, 200) is rows


def model_folder(path: Path, **training: object) -> Path:
    """A model folder of a small untrained network."""
    torch.manual_seed(3)
    source = slice_set(2)
    golden = torch.from_numpy(source.voxels), torch.from_numpy(source.windows)
    facts = {**FACTS, "training": training}
    write_folder(path, ConvLstm(SIZE).eval(), "conv_lstm", "1", golden, facts)
    return path


def test_the_manifest_takes_over_what_was_measured(tmp_path: Path) -> None:
    """For real: torch's own bf16 on the golden vectors and five slices; weights stay as they are.

    What another machine measured of an engine that this one lacks is kept.
    """
    folder = model_folder(tmp_path / "model")
    before = verify_folder(folder)
    entry = {"max_probability_difference": 0.1, "flips": 3, "slices": 9}
    export.write_manifest(folder, before, precisions={"other-bf16": entry})
    record(folder, slice_set(8), np.arange(1, 6), progress=False)
    manifest = verify_folder(folder)
    assert set(manifest.precisions) == {"other-bf16", "torch-bf16"}
    agreement = measured(manifest, "torch", "bf16")
    assert agreement is not None
    assert agreement.slices == 7
    assert 0 < agreement.max_probability_difference < 0.1
    assert replace(manifest, precisions={}) == before


def test_every_variant_of_lower_precision_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the kernel only for the network and the size that it is for."""
    known = (Variant("a", "bf16"), Variant("b", "fp32"), Variant("c", "bf16"))
    monkeypatch.setattr(precisions, "variants", lambda: known)
    monkeypatch.setattr(
        precisions, "NativeEngine", lambda network, variant, threads: FakeEngine(variant.name)
    )
    assert [each.name for each in engines_of(ConvLstm(), 1, compiled=False)] == ["torch", "a", "c"]
    for network in (ConvLstm(SIZE), Cnn128(size=64)):
        assert [each.name for each in engines_of(network, 1, compiled=False)] == ["torch"]


@pytest.mark.parametrize("known", ["abc", "other"])
def test_the_command_measures_on_the_slices_of_the_training_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known: str
) -> None:
    """Any other test split may hold what the model has learnt from."""
    model_folder(tmp_path / "runs" / "quick" / "model", data_sha256=known)
    asked: list[tuple[int, bool]] = []

    def fake(folder: Path, source: object, rows: Any, *, compiled: bool) -> Manifest:
        asked.append((len(rows), compiled))
        entry = {"max_probability_difference": 0.004, "flips": 0, "slices": 5}
        return make_manifest(precisions={"torch-bf16": entry})

    monkeypatch.setattr(run, "prepare", lambda *given: (slice_set(8), {"test": np.arange(8)}))
    monkeypatch.setattr(run, "data_hash", lambda source: "abc")
    monkeypatch.setattr(precisions, "record", fake)
    status = main(["precisions", "--recipe", "quick", "--home", str(tmp_path), "--slices", "5"])
    if known == "abc":
        assert (status, asked) == (0, [(5, True)])
        assert "torch-bf16: probabilities differ by at most 0.0040" in capsys.readouterr().out
    else:
        assert (status, asked) == (1, [])
        assert "not those of the model's training" in capsys.readouterr().err
