"""Tests of the metrics: closed labels, exposition, and right sums over several workers."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from service import metrics
from service.types import LABELS, Action, Status
from tests.service.fakes import make_violation

ROOT = Path(__file__).resolve().parents[2]

WORKER = """
import sys
from service import metrics
from service.types import Status
for _ in range(int(sys.argv[1])):
    metrics.record_request("/classify", "http", "ok")
    metrics.record_slice(Status.CLASSIFIED, ())
    metrics.record_scores({"any": 0.32}, ("any",))
    metrics.record_stages({"infer": 0.02})
metrics.set_queue_depth(int(sys.argv[1]))
metrics.set_model("ich", "1.0.0", "abc")
metrics.set_engine("native", "fp32")
print("ready", flush=True)
sys.stdin.read()
"""
READER = """
import sys
from service import metrics
print(metrics.forget_dead_workers() if sys.argv[1:] else -1)
print(metrics.render()[0].decode())
"""


def read(name: str, **labels: str) -> float:
    """A sample of this process, 0 when it does not exist yet."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def sample(text: str, line_start: str) -> float:
    """The value of the one exposition line with that name and labels."""
    (line,) = [line for line in text.splitlines() if line.startswith(line_start + " ")]
    return float(line.rsplit(" ", 1)[1])


@pytest.fixture
def python(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python processes that share one multiprocess folder; all are ended with the test."""
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with ExitStack() as stack:

        def start(code: str, *arguments: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", code, *arguments]
            process = subprocess.Popen(
                command,
                env=environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def test_two_workers_are_summed(python: Callable[..., subprocess.Popen[str]]) -> None:
    """Counters, histograms and live gauges of two processes add up; the model is shown once."""
    for count in ("3", "4"):
        worker = python(WORKER, count)
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    text = python(READER).communicate(timeout=30)[0]
    assert sample(text, 'ich_requests_total{outcome="ok",route="/classify",transport="http"}') == 7
    assert sample(text, 'ich_slices_total{status="classified"}') == 7
    assert sample(text, 'ich_positives_total{label="any"}') == 7
    assert sample(text, 'ich_probability_bucket{label="any",le="0.3"}') == 0
    assert sample(text, 'ich_probability_bucket{label="any",le="0.35"}') == 7
    assert sample(text, 'ich_stage_duration_seconds_bucket{le="0.01",stage="infer"}') == 0
    assert sample(text, 'ich_stage_duration_seconds_bucket{le="0.025",stage="infer"}') == 7
    assert sample(text, 'ich_stage_duration_seconds_count{stage="infer"}') == 7
    assert sample(text, "ich_queue_depth") == 7
    assert sample(text, 'ich_model_info{fingerprint="abc",name="ich",version="1.0.0"}') == 1
    assert sample(text, 'ich_engine_info{engine="native",precision="fp32"}') == 1


def test_killed_worker_is_forgotten_but_not_its_counts(
    python: Callable[..., subprocess.Popen[str]],
) -> None:
    """The gauge of a killed process goes when the dead are forgotten; its requests stay."""
    workers = [python(WORKER, count) for count in ("3", "4")]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    workers[0].send_signal(signal.SIGKILL)
    workers[0].wait(10)
    stuck = python(READER).communicate(timeout=30)[0]
    assert sample(stuck, "ich_queue_depth") == 7
    forgotten, _, text = python(READER, "forget").communicate(timeout=30)[0].partition("\n")
    assert int(forgotten) >= 1
    assert sample(text, "ich_queue_depth") == 4
    assert sample(text, 'ich_slices_total{status="classified"}') == 7


def test_one_process_needs_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the multiprocess folder the plain registry is shown, and nobody is dead."""
    monkeypatch.delenv(metrics.MULTIPROC_VARIABLE, raising=False)
    body, content_type = metrics.render()
    assert b"ich_requests_total" in body
    assert content_type.startswith("text/plain")
    assert metrics.forget_dead_workers() == 0


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ("ok", "ok"),
        ("queue_full", "queue_full"),
        ("1.2.840.113619", "other"),
        ("Doe^Jane", "other"),
        ("a" * 41, "other"),
        ("ok\n", "other"),
    ],
)
def test_outcome_is_a_code_or_other(outcome: str, shown: str) -> None:
    """Anything that is no code of ours is counted without being shown."""
    labels = {"route": "/test", "transport": "http", "outcome": shown}
    before = read("ich_requests_total", **labels)
    metrics.record_request("/test", "http", outcome)
    assert read("ich_requests_total", **labels) - before == 1


def test_in_flight_returns_after_a_failure() -> None:
    """The gauge counts a running block and is back when it raised."""
    before = read("ich_in_flight_requests", transport="grpc")
    seen = []

    def fail() -> None:
        with metrics.in_flight("grpc"):
            seen.append(read("ich_in_flight_requests", transport="grpc"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [before + 1]
    assert read("ich_in_flight_requests", transport="grpc") == before


def test_gate_codes_count_per_slice_and_action() -> None:
    """Each broken rule counts once by code and action; the slice counts once by status."""
    rules = [make_violation(Action.SKIP, "modality"), make_violation(Action.WARN, "tilt")]
    names = [
        ("ich_gate_total", {"code": "modality", "action": "skip"}),
        ("ich_gate_total", {"code": "tilt", "action": "warn"}),
        ("ich_slices_total", {"status": "skipped"}),
    ]
    before = [read(name, **labels) for name, labels in names]
    metrics.record_slice(Status.SKIPPED, rules)
    after = [read(name, **labels) for name, labels in names]
    assert [end - start for start, end in zip(before, after, strict=True)] == [1, 1, 1]


def test_batches_and_restarts_are_counted() -> None:
    """A batch of three is one observation of three; a restart is one."""
    before = read("ich_batch_size_count"), read("ich_batch_size_sum")
    restarts = read("ich_decoder_restarts_total")
    metrics.record_batch(3)
    metrics.record_decoder_restart()
    assert (read("ich_batch_size_count"), read("ich_batch_size_sum")) == (
        before[0] + 1,
        before[1] + 3,
    )
    assert read("ich_decoder_restarts_total") == restarts + 1


def test_closed_sets_are_shown_before_the_first_event(
    python: Callable[..., subprocess.Popen[str]],
) -> None:
    """A fresh process shows a zero for every stage, status and label, so that rates exist."""
    text = python(READER).communicate(timeout=30)[0]
    for name, label, values in (
        ("ich_stage_duration_seconds_count", "stage", metrics.STAGES),
        ("ich_slices_total", "status", [status.value for status in Status]),
        ("ich_positives_total", "label", LABELS),
        ("ich_probability_count", "label", LABELS),
    ):
        assert [sample(text, f'{name}{{{label}="{value}"}}') for value in values] == [0.0] * len(
            values
        )


def test_every_metric_has_prefix_and_help() -> None:
    """All of our instruments are named `ich_` and say what they are."""
    helps = re.findall(r"# HELP (ich_\w+) (.+)", metrics.render()[0].decode())
    assert len({name for name, _ in helps if not name.endswith("_created")}) == 12
