"""Tests of the pipeline: order, verdict and score of each slice, and what is measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from service.errors import (
    NothingClassified,
    QueueFull,
)
from service.pipeline import Pipeline, covered
from service.types import (
    LABELS,
    Action,
    Decoded,
    HuSlice,
    Kind,
    Status,
)
from tests.service.fakes import (
    NAN,
    make_manifest,
    make_slice,
    make_violation,
)
from tests.service.room import SETTINGS, UIDS, Room


def refusal(action: Action, slice_hu: HuSlice | None = None) -> Decoded:
    """A decoded object with one violation of that action."""
    return Decoded(UIDS, slice_hu, (make_violation(action),))


def metric(name: str, **labels: str) -> float:
    """A sample of this process, 0 when it does not exist yet."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_order_is_kept_under_shuffled_completion(room: Room) -> None:
    """Results are in the order of the request, whichever decode was first."""
    bodies = [b"1", b"2", b"3", b"4", b"5"]
    room.decoder.delays_s = dict(zip(bodies, (0.04, 0.0, 0.03, 0.01, 0.02), strict=True))
    answer = await room.classify(*bodies)
    assert [item.index for item in answer.slices] == [0, 1, 2, 3, 4]
    assert [item.name for item in answer.slices] == [f"{place}.dcm" for place in range(5)]
    assert [item.identity.sop_instance_uid for item in answer.slices] == [
        f"1.2.{value}" for value in range(1, 6)
    ]
    assert room.predictor.executed != [1, 2, 3, 4, 5]


async def test_slice_of_many_equals_slice_alone(room: Room) -> None:
    """The probabilities of a slice do not depend on its company, to the bit."""
    together = await room.classify(b"-1", b"-2", b"-3")
    for body, item in zip((b"-1", b"-2", b"-3"), together.slices, strict=True):
        alone = (await room.classify(body)).slices[0]
        assert alone.probabilities == item.probabilities


async def test_probabilities_findings_and_consistency(room: Room) -> None:
    """Logits -4..1 give sigmoids by label in order; a finding is at or over its threshold."""
    (item,) = (await room.classify(b"-4")).slices
    assert item.probabilities is not None
    assert tuple(item.probabilities) == LABELS
    assert list(item.probabilities.values()) == pytest.approx(
        [0.017986, 0.047426, 0.119203, 0.268941, 0.5, 0.731059], abs=1e-6
    )
    assert item.findings == ("subdural", "any")
    assert item.any_consistent is True
    assert item.window == make_slice(0).window


async def test_inconsistent_any_is_reported_and_not_forced(room: Room) -> None:
    """A p_any below a subtype stays as the network gave it, with the flag set to false."""
    manifest = make_manifest(biases=(0.0, 0.0, 0.0, 0.0, 0.0, -3.0))
    pipeline = Pipeline(room.decoder, room.batcher, manifest, room.pipeline.model, SETTINGS)
    (item,) = (
        await Room(room.predictor, room.decoder, room.batcher, pipeline).classify(b"-4")
    ).slices
    assert item.probabilities is not None
    assert item.probabilities["any"] == pytest.approx(0.119203, abs=1e-6)
    assert item.any_consistent is False


@pytest.mark.parametrize(
    ("action", "status", "blocked"),
    [
        (Action.REJECT, Status.REJECTED, True),
        (Action.SKIP, Status.SKIPPED, True),
        (Action.WARN, Status.CLASSIFIED, False),
        (Action.FIX, Status.CLASSIFIED, False),
    ],
)
async def test_verdict_follows_the_action(
    room: Room, action: Action, status: Status, blocked: bool
) -> None:
    """REJECT and SKIP are errors and cost no forward; WARN and FIX are warnings of a result."""
    room.decoder.outcomes[b"9"] = refusal(action, make_slice(9))
    item = (await room.classify(b"9", b"1")).slices[0]
    assert (item.status, item.identity) == (status, UIDS)
    assert (bool(item.errors), bool(item.warnings)) == (blocked, not blocked)
    assert (item.probabilities is None, item.window is None) == (blocked, blocked)
    assert (9 in room.predictor.executed) is not blocked


async def test_reject_outweighs_skip_and_keeps_warnings_apart(room: Room) -> None:
    """All violations are shown: blocking ones as errors, the others as warnings."""
    kinds = (Action.SKIP, Action.WARN, Action.REJECT)
    room.decoder.outcomes[b"9"] = Decoded(UIDS, None, tuple(make_violation(kind) for kind in kinds))
    item = (await room.classify(b"9", b"1")).slices[0]
    assert item.status is Status.REJECTED
    assert [found.action for found in item.errors] == [Action.SKIP, Action.REJECT]
    assert [found.action for found in item.warnings] == [Action.WARN]


async def test_oversized_upload_never_reaches_the_decoder(room: Room) -> None:
    """One byte over the limit is that slice's error; a body of exactly the limit is decoded."""
    room.decoder.outcomes[b"0" * 1024] = Decoded(UIDS, make_slice(3))
    answer = await room.classify(b"0" * 1025, b"0" * 1024)
    assert [item.status for item in answer.slices] == [Status.REJECTED, Status.CLASSIFIED]
    (error,) = answer.slices[0].errors
    assert (error.code, error.kind, error.action) == ("too_large", Kind.TOO_LARGE, Action.REJECT)
    assert room.decoder.calls == 1


async def test_engine_failure_is_the_error_of_its_slice(room: Room) -> None:
    """A slice that the model fails on is rejected as internal; the others are answered."""
    answer = await room.classify(b"1", str(NAN).encode(), b"3")
    assert [item.status for item in answer.slices] == [
        Status.CLASSIFIED,
        Status.REJECTED,
        Status.CLASSIFIED,
    ]
    (error,) = answer.slices[1].errors
    assert (error.code, error.kind) == ("engine_failure", Kind.INTERNAL)


async def test_nothing_classified_carries_every_slice(room: Room) -> None:
    """When no slice was classified the error tells which ones and why."""
    room.decoder.outcomes = {b"8": refusal(Action.SKIP), b"9": refusal(Action.REJECT)}
    with pytest.raises(NothingClassified) as failure:
        await room.classify(b"8", b"9")
    assert failure.value.kind is Kind.NOT_ASSESSABLE
    assert [item.status for item in failure.value.classification.slices] == [
        Status.SKIPPED,
        Status.REJECTED,
    ]


async def test_timings_have_all_stages_and_add_up(room: Room) -> None:
    """Receive is as handed in; decode is the wall time of overlapping decodes; total has all."""
    room.decoder.delays_s = {b"1": 0.05, b"2": 0.05}
    timings = (await room.classify(b"1", b"2")).timings_ms
    assert tuple(timings) == ("receive", "decode", "queue", "infer", "total")
    assert timings["receive"] == 250.0
    assert 50 <= timings["decode"] < 95
    assert timings["total"] >= 250 + timings["decode"] + timings["infer"]


def test_overlapping_spans_count_once() -> None:
    """The union of 0-2, 1-3 and 5-6 is 4 long, in any order; nothing is 0 long."""
    assert covered([(5, 6), (1, 3), (0, 2)]) == 4
    assert covered([(0, 9), (1, 2)]) == 9
    assert covered([]) == 0


async def test_metrics_count_what_was_answered(room: Room) -> None:
    """Slices, gate codes, positives and stages grow by exactly what the request held."""
    names = [
        ("ich_slices_total", {"status": "classified"}),
        ("ich_slices_total", {"status": "skipped"}),
        ("ich_gate_total", {"code": "some_rule", "action": "skip"}),
        ("ich_positives_total", {"label": "any"}),
        ("ich_positives_total", {"label": "epidural"}),
        ("ich_probability_count", {"label": "any"}),
        ("ich_stage_duration_seconds_count", {"stage": "total"}),
        ("ich_stage_duration_seconds_sum", {"stage": "receive"}),
    ]
    room.decoder.outcomes[b"9"] = refusal(Action.SKIP)
    before = [metric(name, **labels) for name, labels in names]
    await room.classify(b"-4", b"-4", b"9")
    after = [metric(name, **labels) for name, labels in names]
    grown = [end - start for start, end in zip(before, after, strict=True)]
    assert grown == pytest.approx([2, 1, 1, 2, 0, 2, 1, 0.25])
    assert metric("ich_in_flight_requests", transport="http") == 0
    assert metric("ich_queue_depth") == 0


def framed(*values: int) -> Decoded:
    """A multi-frame object whose frames are slices of these values."""
    first, *others = (
        Decoded(UIDS, make_slice(value), (), number, len(values))
        for number, value in enumerate(values, 1)
    )
    return replace(first, further=tuple(others))


async def test_every_frame_of_an_object_is_a_slice_of_the_answer(room: Room) -> None:
    """Frames follow each other at the place of their object, each with its own scores."""
    room.decoder.outcomes[b"2"] = framed(-1, -2, -3)
    answer = await room.classify(b"1", b"2", b"4")
    assert [(item.index, item.frame) for item in answer.slices] == [
        (0, None),
        (1, 1),
        (1, 2),
        (1, 3),
        (2, None),
    ]
    assert len({tuple(dict(item.probabilities or {}).values()) for item in answer.slices}) == 5
    assert room.batcher.depth == 0


async def test_frames_need_places_as_slices_do(room: Room) -> None:
    """An object of more frames than there are places is refused whole, and nothing is left."""
    room.decoder.outcomes[b"2"] = framed(*range(9))
    with pytest.raises(QueueFull):
        await room.classify(b"2")
    assert room.batcher.depth == 0
    assert len((await room.classify(b"1")).slices) == 1
