"""Training: it learns, it resumes to the same weights, processes share the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from model_build import checkpoint
from model_build.distributed import Place
from model_build.loop import rate
from model_build.stages import JointStage, WindowStage, weighted_bce
from model_build.train import Trainer, TrainingStopped
from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn
from tests.model_build.phantom_set import RECIPE, SIZE, slice_set

ALONE = Place(0, 1, torch.device("cpu"))
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Equal arithmetic in every run, and no fight over cores with other tests."""
    torch.set_num_threads(1)


def trainer(folder: Path, stop_after: int | None = None) -> Trainer:
    """A run of the tiny recipe on the tiny set."""
    source = slice_set()
    train = np.arange(12)
    return Trainer(RECIPE, source, train, folder, ALONE, progress=False, stop_after=stop_after)


def state_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the weights."""
    return {name: value.clone() for name, value in network.state_dict().items()}


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
    run = trainer(tmp_path)
    before = state_of(run.network)
    after = state_of(run.run())
    rows = [json.loads(line) for line in (tmp_path / "losses.jsonl").read_text().splitlines()]
    assert [row["stage"] for row in rows if row["step"] in (6, 4)][-1] == "joint"
    assert {row["stage"] for row in rows} == {"window", "sequence", "joint"}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    for part in ("trunk.units", "trunk.dense", "lstm.weight", "head.weight", "window_head"):
        assert any(name.startswith(part) for name in moved), part
    # Keras has one LSTM bias; torch's second one must not have been trained.
    assert "lstm.bias_hh_l0" not in moved


@pytest.mark.slow
def test_one_batch_can_be_learnt_by_heart() -> None:
    """Sixty steps on one batch bring the loss of the per-window CNN far below its start."""
    torch.manual_seed(0)
    source = slice_set(8)
    stage = WindowStage(SliceCnn(SIZE))
    optimizer = torch.optim.Adam(stage.parameters(), lr=1e-3)
    inputs = (
        torch.from_numpy(source.voxels),
        torch.from_numpy(source.windows),
        torch.ones(8, dtype=torch.long),
        torch.from_numpy(source.labels.astype(np.float32)),
        torch.ones(8),
    )
    losses = []
    for _ in range(60):
        loss = stage(*inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]


def test_joint_training_leaves_the_batch_norm_statistics_alone() -> None:
    """Their running means are those of stage 2, whatever passes through."""
    network = ConvLstm(SIZE, window_head=True)
    stage = JointStage(network, 0.3).train()
    before = state_of(network.trunk)
    source = slice_set(2)
    labels = torch.from_numpy(source.labels.astype(np.float32))
    voxels, windows = torch.from_numpy(source.voxels), torch.from_numpy(source.windows)
    stage(voxels, windows, labels, torch.ones(2)).backward()
    after = state_of(network.trunk)
    assert all(torch.equal(before[name], after[name]) for name in before if "running" in name)


def test_the_loss_by_hand() -> None:
    """Logits 0 cost ln 2 per label; a weight of 3 beside one of 1 doubles the mean."""
    logits, labels = torch.zeros(2, 6), torch.tensor([[1.0] * 6, [0.0] * 6])
    assert float(weighted_bce(logits, labels, torch.ones(2))) == pytest.approx(0.693147, abs=1e-6)
    heavy = weighted_bce(logits, labels, torch.tensor([3.0, 1.0]))
    assert float(heavy) == pytest.approx(2 * 0.693147, abs=1e-6)


def test_the_rate_warms_up_and_falls_to_a_hundredth() -> None:
    """Ten steps of warm-up of a hundred, the peak at their end, a cosine behind it."""
    rates = [rate(step, (100,), 1e-3, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3)
    assert rates[55] == pytest.approx(1e-3 * (0.01 + 0.99 * 0.5), rel=1e-6)
    assert rates[-1] == pytest.approx(1e-5, rel=0.1)


def test_each_cycle_starts_again_at_half_the_peak() -> None:
    """Behind 100 steps a cycle of 50 with a peak of one half."""
    rates = [rate(step, (100, 50), 1e-3, 0.1) for step in range(150)]
    assert rates[:100] == [rate(step, (100,), 1e-3, 0.1) for step in range(100)]
    assert max(rates[100:]) == pytest.approx(5e-4)
    assert rates[-1] < 1e-5


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    """Infinite Hounsfield units never become weights."""
    run = trainer(tmp_path)
    run.weights[:] = float("nan")
    with pytest.raises(FloatingPointError):
        run.run()


@pytest.mark.slow
def test_torchrun_with_two_processes_ends_with_one_set_of_weights(tmp_path: Path) -> None:
    """Both processes finish, and hold the same weights in the end."""
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
    digests = {path.read_text() for path in tmp_path.glob("rank*.txt")}
    assert len(list(tmp_path.glob("rank*.txt"))) == 2
    assert len(digests) == 1
