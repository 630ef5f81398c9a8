"""Choice: the fastest that agrees; an engine that is wrong or not allowed is not used."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from service.artifact import ArtifactError, Manifest
from service.engine import choice as module
from service.engine.choice import Choice, Golden, Wish, choose
from tests.service.engine.engines import CLOCK, FakeEngine, Logits
from tests.service.fakes import make_manifest

MEASURED = {"max_probability_difference": 0.004, "flips": 0, "slices": 100}
SLOW_S, FAST_S = 0.02, 0.002


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes only inside the fake engines: the tests hold on a busy machine."""
    monkeypatch.setattr(module, "perf_counter", CLOCK.read)


def golden() -> Golden:
    """Three slices whose logits are 0.1, 2 and -3."""
    values = np.array([10, 200, -300], np.int16)
    voxels = np.repeat(values[:, None, None], 4, axis=1).repeat(4, axis=2)
    return Golden(voxels, np.tile(np.float32([40, 80]), (3, 1)))


def manifest(**changed: Any) -> Manifest:
    """One that allows a logit of float32 to differ by 2e-3."""
    return make_manifest(golden_tolerance={"float32": 2e-3}, **changed)


def chosen(
    *candidates: FakeEngine, wish: Wish | None = None, precisions: dict[str, Any] | None = None
) -> Choice:
    """The choice between a slow reference and these."""
    reference = FakeEngine("torch", delay_s=SLOW_S)
    told = manifest(precisions=precisions or {})
    return choose(reference, candidates, golden(), told, wish or Wish())


def off_by(difference: float) -> Any:
    """What moves the probability at logit 0.1 by about that much: its slope is 0.2494."""

    def move(logits: Logits) -> Logits:
        return logits + np.float32(difference / 0.2494)

    return move


def test_the_fastest_that_agrees_is_chosen() -> None:
    """And the report says so, with the times of both."""
    fast = FakeEngine(delay_s=FAST_S)
    choice = chosen(fast)
    report = choice.report()
    assert choice.engine is fast
    assert (report["name"], report["precision"], report["device"]) == ("native", "fp32", "fake")
    assert report["efficient_batch"] == 2
    torch, native = report["tried"]
    assert torch["ms_per_slice"] > native["ms_per_slice"] > 0
    assert native["max_probability_difference"] == 0


def test_a_slower_engine_is_not_chosen() -> None:
    """Agreement alone is no reason."""
    assert chosen(FakeEngine(delay_s=3 * SLOW_S)).engine.name == "torch"


def test_an_engine_that_is_wrong_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Faster, but off by 0.02 in probability: torch answers, and the log says why."""
    with caplog.at_level(logging.WARNING, "service.engine.choice"):
        choice = chosen(FakeEngine(wrong=off_by(0.02)))
    assert choice.engine.name == "torch"
    (line,) = caplog.records
    assert line.message == "engine_refused"
    assert vars(line)["reason"] == "it disagrees with torch on the golden vectors"
    (trial,) = choice.report()["tried"]
    assert trial["max_probability_difference"] == pytest.approx(0.02, abs=1e-3)


def test_where_the_fastest_is_wrong_the_next_answers() -> None:
    """Two variants of one engine: what the first got wrong does not bring torch back."""
    wrong, right = FakeEngine(wrong=off_by(0.02)), FakeEngine(delay_s=FAST_S)
    assert chosen(wrong, right).engine is right


def test_float32_has_one_answer() -> None:
    """A float32 engine that is off by 0.003 keeps the promise, and is still faulty."""
    assert chosen(FakeEngine(wrong=off_by(0.003))).engine.name == "torch"


@pytest.mark.parametrize("wrong", [lambda x: x * np.float32("nan"), lambda x: x[:2]])
def test_answers_that_are_none_are_refused(wrong: Any) -> None:
    """Not finite, or a row too few."""
    choice = chosen(FakeEngine(wrong=wrong))
    assert choice.engine.name == "torch"
    assert choice.report()["tried"][0]["max_probability_difference"] is None


def test_an_engine_that_raises_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """The service starts on the reference."""

    def fail(logits: Logits) -> Logits:
        raise RuntimeError("broken")

    choice = chosen(FakeEngine(wrong=fail))
    assert choice.engine.name == "torch"
    assert "engine_failed" in [line.message for line in caplog.records]


@pytest.mark.parametrize(
    ("precisions", "wish", "name"),
    [
        ({}, Wish(), "torch"),
        ({"native-bf16": MEASURED}, Wish(), "native"),
        ({"native-bf16": MEASURED}, Wish(precision="bf16"), "native"),
        ({"native-bf16": MEASURED}, Wish(precision="fp32"), "torch"),
        ({"native-bf16": {**MEASURED, "flips": 1}}, Wish(), "torch"),
        ({"native-bf16": {**MEASURED, "max_probability_difference": 0.006}}, Wish(), "torch"),
        ({"native-bf16": {**MEASURED, "slices": 0}}, Wish(), "torch"),
        ({"cuda-bf16": MEASURED}, Wish(), "torch"),
    ],
)
def test_lower_precision_needs_setting_measurement_and_parity(
    precisions: dict[str, Any], wish: Wish, name: str
) -> None:
    """bf16 only where the settings allow it and the build measured that decisions stay."""
    half = FakeEngine(precision="bf16", wrong=off_by(0.003), delay_s=FAST_S)
    assert chosen(half, wish=wish, precisions=precisions).engine.name == name


def test_a_measurement_does_not_replace_the_parity_check() -> None:
    """bf16 that was fine at the build and is off by 0.02 here is not used."""
    half = FakeEngine(precision="bf16", wrong=off_by(0.02))
    assert chosen(half, precisions={"native-bf16": MEASURED}).engine.name == "torch"


def test_a_precision_that_is_asked_for_wins_over_a_faster_one() -> None:
    """ICH_PRECISION=bf16 where it is allowed; without the wish the faster engine answers."""
    full, half = FakeEngine(delay_s=FAST_S), FakeEngine(precision="bf16", delay_s=SLOW_S / 2)
    measured = {"native-bf16": MEASURED}
    assert chosen(full, half, precisions=measured).engine is full
    wish = Wish(precision="bf16")
    assert chosen(full, half, wish=wish, precisions=measured).engine is half


def test_an_engine_asked_for_by_name_is_used_though_slower() -> None:
    """ICH_ENGINE is obeyed; torch is not even timed."""
    slow = FakeEngine(delay_s=3 * SLOW_S)
    assert chosen(slow, wish=Wish("native")).engine is slow
    asked = FakeEngine()
    assert chosen(asked, wish=Wish("torch")).engine.name == "torch"
    assert asked.forwards == 0


@pytest.mark.parametrize("candidates", [(), (FakeEngine(wrong=off_by(0.02)),)])
def test_an_engine_asked_for_by_name_that_may_not_answer_is_an_error(
    candidates: tuple[FakeEngine, ...],
) -> None:
    """The service does not fall back to what nobody asked for."""
    with pytest.raises(ArtifactError, match="ICH_ENGINE is native"):
        chosen(*candidates, wish=Wish("native"))


def test_the_report_says_why_there_is_no_other_engine() -> None:
    """The reason of the absence, as given."""
    reference = FakeEngine("torch")
    choice = choose(reference, (), golden(), manifest(), Wish(), "the library was not built")
    assert choice.report()["reason"] == "the library was not built"
    assert choice.report()["tried"] == []


def test_spare_engines_are_made_only_where_no_other_may_answer() -> None:
    """Compiling takes long: nothing is compiled beside a native engine that answers."""
    made: list[FakeEngine] = []

    def spare() -> list[FakeEngine]:
        made.append(FakeEngine("torch_compiled", delay_s=FAST_S))
        return made

    def choice_with(candidate: FakeEngine, wish: Wish) -> Choice:
        reference = FakeEngine("torch", delay_s=SLOW_S)
        return choose(reference, [candidate], golden(), manifest(), wish, spare=spare)

    assert choice_with(FakeEngine(delay_s=3 * SLOW_S), Wish()).engine.name == "torch"
    assert made == []
    for candidate, wish in (
        (FakeEngine(wrong=off_by(0.02)), Wish()),
        (FakeEngine(), Wish("torch_compiled")),
    ):
        assert choice_with(candidate, wish).engine is made.pop()


def test_torch_may_answer_in_bf16_where_the_manifest_allows_it() -> None:
    """ICH_ENGINE=torch: the faster of its two precisions; float32 where nothing was measured."""
    half = FakeEngine("torch", "bf16", wrong=off_by(0.003), delay_s=FAST_S)
    assert chosen(half, wish=Wish("torch"), precisions={"torch-bf16": MEASURED}).engine is half
    choice = chosen(half, wish=Wish("torch"))
    assert (choice.engine.precision, choice.reason) == ("fp32", "ICH_ENGINE asks for it")
