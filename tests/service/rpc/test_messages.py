"""Tests of the conversion to protobuf: total tables and fields that are the labels."""

from __future__ import annotations

from service.api.schemas import (
    ClassifyAnswer,
    GateViolation,
    Model,
    Probabilities,
    SliceAnswer,
    Window,
)
from service.metrics import STAGES
from service.rpc import ich_pb2
from service.rpc.messages import ACTIONS, STATUSES, model_of
from service.types import LABELS, Action, ModelInfo, Status


def fields(message: type) -> list[str]:
    """Field names of a message, in order."""
    return [field.name for field in message.DESCRIPTOR.fields]  # type: ignore[attr-defined]


def test_enums_are_total() -> None:
    """Every status and action has its own value, named alike, and none is the unspecified one."""
    for table, kinds, enum in (
        (STATUSES, Status, ich_pb2.Status),
        (ACTIONS, Action, ich_pb2.Action),
    ):
        assert set(table) == set(kinds)
        names = {enum.Name(value).partition("_")[2].lower() for value in table.values()}
        assert names == {kind.value for kind in kinds}


def test_fields_are_those_of_the_json_answer() -> None:
    """Both transports say the same things under the same names, the labels in their order."""
    assert fields(ich_pb2.Probabilities) == list(Probabilities.model_fields) == list(LABELS)
    assert fields(ich_pb2.Timings) == list(STAGES)
    assert fields(ich_pb2.Model) == list(Model.model_fields)
    assert fields(ich_pb2.Window) == list(Window.model_fields)
    assert fields(ich_pb2.Violation) == list(GateViolation.model_fields)
    assert fields(ich_pb2.SliceResult) == list(SliceAnswer.model_fields)
    assert set(fields(ich_pb2.ClassifyResponse)) == set(ClassifyAnswer.model_fields)


def test_the_assumed_prevalence_is_said_by_both_where_it_is_known() -> None:
    """JSON has null for a label that could not be shifted, protobuf leaves it out."""
    model = ModelInfo("ich", "ich:1", "1", {"any": 0.143, "epidural": None})
    assert Model.of(model).assumed_prevalence == {"any": 0.143, "epidural": None}
    assert dict(model_of(model).assumed_prevalence) == {"any": 0.143}
    assert Model.of(ModelInfo("ich", "ich:1", "1")).assumed_prevalence == {}
