"""Tests of reading finished run folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_build.report.run_folder import count_parameters, is_finished, read_run
from model_build.scores import write_scores
from tests.model_build.run_folders import PATIENTS, SLICES, WEIGHTS, scores, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run, read by every test of this file and changed by none."""
    return write_run(tmp_path_factory.mktemp("runs") / "one", "conv_lstm")


def test_a_finished_run_is_read_whole(folder: Path) -> None:
    """Network, scores, curves, learned weights and figures of the evaluation."""
    run = read_run(folder)
    assert (run.name, run.network, run.parameters) == ("one", "conv_lstm", WEIGHTS)
    assert (len(run.scores.names), len(set(run.scores.patients))) == (SLICES, PATIENTS)
    assert {curve.name for curve in run.curves} == {"loss", "val_loss"}
    figure = run.figure("discrimination", "any", "auroc")
    assert figure is not None
    assert figure.value is not None
    assert figure.value > 0.9
    assert run.figure("discrimination", "any", "unheard of") is None
    assert set(run.curves_of("reliability")) >= {"any", "epidural"}


def test_further_tables_are_found_by_their_title(folder: Path) -> None:
    """The table at the papers' prevalence has no key of its own."""
    run = read_run(folder)
    assert run.has("At threshold 0.5 where half of the slices are positive")
    assert not run.has("Unheard of")


def test_an_unfinished_run_is_named(tmp_path: Path) -> None:
    """A folder without its files is no run; the error says which, without its path."""
    (tmp_path / "half").mkdir()
    assert not is_finished(tmp_path / "half")
    with pytest.raises(FileNotFoundError, match="the run half is not finished"):
        read_run(tmp_path / "half")


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan])
def test_scores_that_are_no_probabilities_are_refused(tmp_path: Path, value: float) -> None:
    """Logits in the place of probabilities would give a page that looks right."""
    folder = write_run(tmp_path / "odd", "conv_lstm")
    split = scores(0)
    wrong = replace(split, probabilities=np.full_like(split.probabilities, value))
    write_scores(folder, wrong, split)
    with pytest.raises(ValueError, match="between 0 and 1"):
        read_run(folder)


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\x02" + b"\0" * 7 + b"no"])
def test_a_file_of_another_kind_has_no_parameters(tmp_path: Path, content: bytes) -> None:
    """Empty, random and torn files are refused with a plain sentence."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a safetensors file"):
        count_parameters(path)
