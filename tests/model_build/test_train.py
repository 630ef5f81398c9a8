"""Training: it learns, it resumes to the same weights, processes share the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model_build import checkpoint
from model_build.batch_norm import norms_of
from model_build.config import Recipe
from model_build.distributed import Place
from model_build.train import Trainer, TrainingStopped
from service.model.window_series import WindowSeries
from tests.model_build.phantom_set import RECIPE, SIZE, parts, slice_set

ALONE = Place(0, 1, torch.device("cpu"))
ROOT = Path(__file__).parents[2]
SERIES_RECIPE = replace(
    RECIPE,
    network="window_series",
    network_config={"size": SIZE, "series": True, "windows": [1, 2]},
    whole_passes=(16,),
    series_epochs=2,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Equal arithmetic in every run, and no fight over cores with other tests."""
    torch.set_num_threads(1)


def trainer(folder: Path, recipe: Recipe = RECIPE, stop_after: int | None = None) -> Trainer:
    """A run of a tiny recipe on the tiny set."""
    masks = folder.parent / "masks"
    source = slice_set(masks=masks)
    return Trainer(recipe, source, parts(), folder, ALONE, progress=False, stop_after=stop_after)


def state_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the weights."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def rows_of(folder: Path) -> list[dict[str, float]]:
    """What the run noted."""
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


def test_validation_does_not_depend_on_the_running_mean(tmp_path: Path) -> None:
    """Between the cycles of stage 2 the statistics are counted anew before val is looked at."""
    run = trainer(tmp_path / "run")
    validate = run.plan.stage("window").validate
    assert validate is not None
    before = validate()
    for norm in norms_of(run.plan.networks["slice_cnn"]):
        norm.running_mean += 50.0
    assert validate() == pytest.approx(before, rel=1e-4)  # pieces are laid into air: rounding


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """Interrupted in stage 2 and again in stage 3b, the result is bit for bit the same."""
    straight = state_of(trainer(tmp_path / "straight").run())
    for stop in (4, 2):
        with pytest.raises(TrainingStopped):
            trainer(tmp_path / "broken", stop_after=stop).run()
    resumed = trainer(tmp_path / "broken")
    assert resumed.state.stage != "done"
    # The time of the parts that were interrupted is not lost.
    assert resumed.state.seconds["window"] > 0
    result = state_of(resumed.run())
    assert all(torch.equal(result[name], value) for name, value in straight.items())
    assert checkpoint.read(tmp_path / "broken").stage == "done"  # type: ignore[union-attr]


def test_every_stage_moves_what_it_should(tmp_path: Path) -> None:
    """The losses of all three stages are recorded, and the trunk of stage 2 is handed on."""
    run = trainer(tmp_path / "run")
    before = state_of(run.plan.result)
    after = state_of(run.run())
    rows = rows_of(tmp_path / "run")
    assert {row["stage"] for row in rows} == {"window", "sequence", "joint"}
    assert {row["stage"] for row in rows if "val_loss" in row} == {"window", "sequence", "joint"}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    for part in ("trunk.units", "trunk.dense", "lstm.weight", "head.weight", "window_head"):
        assert any(name.startswith(part) for name in moved), part
    # Keras has one LSTM bias; torch's second one must not have been trained.
    assert "lstm.bias_hh_l0" not in moved


def test_the_convolutions_stay_while_the_head_is_trained(tmp_path: Path) -> None:
    """Stage 3a trains on stored maps: dense layers move, convolutions and their norms do not."""
    recipe = replace(RECIPE, window_passes=(0,), joint_passes=0)
    run = trainer(tmp_path / "run", recipe)
    convolutions = state_of(run.plan.networks["slice_cnn"].trunk.units)  # type: ignore[union-attr,arg-type]
    dense = state_of(run.plan.networks["slice_cnn"].trunk.dense)  # type: ignore[union-attr,arg-type]
    trained = run.run()
    kept = trained.trunk.units.state_dict()  # type: ignore[union-attr]
    weights = [name for name in kept if "running" not in name and "num_batches" not in name]
    assert all(torch.equal(convolutions[name], kept[name]) for name in weights)
    moved = trained.trunk.dense.state_dict()  # type: ignore[union-attr]
    assert not any(torch.equal(dense[name], moved[name]) for name in moved if "weight" in name)


def test_the_best_weights_on_val_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Val says 1, 0.5, 2: the weights of the second look are those of the run."""
    recipe = replace(SERIES_RECIPE, whole_passes=(24,), series_epochs=0, validation_steps=2)
    run = trainer(tmp_path / "run", recipe)
    seen: list[dict[str, torch.Tensor]] = []

    def loss() -> float:
        seen.append(state_of(run.plan.result))
        return (1.0, 0.5, 2.0)[len(seen) - 1]

    monkeypatch.setattr(run.plan, "_loss", loss)
    result = run.run().state_dict()
    assert len(seen) == 3
    assert all(torch.equal(result[name], value) for name, value in seen[1].items())
    assert not torch.equal(result["head.weight"], seen[2]["head.weight"])


def test_window_series_trains_its_series_head_last(tmp_path: Path) -> None:
    """Stage `series` moves the GRU and leaves the slice part as it was."""
    run = trainer(tmp_path / "run", SERIES_RECIPE)
    network = run.run()
    assert isinstance(network, WindowSeries)
    assert run.plan.stages == ("whole", "series")
    assert bool((network.series.slice_head.weight != 0).any())  # type: ignore[union-attr]
    stages = [row["stage"] for row in rows_of(tmp_path / "run")]
    assert stages[0] == "whole"
    assert stages[-1] == "series"


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    """Infinite Hounsfield units never become weights."""
    run = trainer(tmp_path / "run")
    run.training.weights[:] = float("nan")
    with pytest.raises(FloatingPointError):
        run.run()


def test_a_step_must_fall_into_whole_parts(tmp_path: Path) -> None:
    """Three processes cannot share two micro batches, nor a batch of 4 be cut into threes."""
    with pytest.raises(ValueError, match="micro batch"):
        replace(RECIPE, micro_batch=3)
    three = Place(0, 3, torch.device("cpu"))
    source = slice_set(masks=tmp_path)
    with pytest.raises(ValueError, match="divide among the processes"):
        Trainer(RECIPE, source, parts(), tmp_path / "run", three, progress=False)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    """Torchrun with two processes ends with the weights of one process, up to rounding."""
    script = "tests/model_build/two_processes.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", script]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [*command, str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    run = trainer(tmp_path / "alone")
    begun = state_of(run.plan.result)
    alone = run.run().state_dict()
    assert set(first) == set(second) == set(alone)
    for name, value in alone.items():
        if not value.is_floating_point():
            continue
        assert torch.equal(first[name], second[name]), name
        # Adam divides by the root of a gradient that may be rounding: single weights may drift;
        # another order of slices or a gradient left out moves all of them by whole steps.
        moved = float((value - begun[name]).abs().median())
        assert float((value - first[name]).abs().median()) < 0.1 * moved + 1e-6, name
