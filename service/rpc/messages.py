"""Messages: the values of the pipeline -> protobuf, field by field as in the JSON answer."""

from __future__ import annotations

from service.rpc import ich_pb2
from service.types import (
    Action,
    Classification,
    DefaultWindow,
    ModelInfo,
    SliceResult,
    Status,
    Violation,
)

STATUSES: dict[Status, ich_pb2.Status] = {
    Status.CLASSIFIED: ich_pb2.STATUS_CLASSIFIED,
    Status.SKIPPED: ich_pb2.STATUS_SKIPPED,
    Status.REJECTED: ich_pb2.STATUS_REJECTED,
}
ACTIONS: dict[Action, ich_pb2.Action] = {
    Action.REJECT: ich_pb2.ACTION_REJECT,
    Action.SKIP: ich_pb2.ACTION_SKIP,
    Action.WARN: ich_pb2.ACTION_WARN,
    Action.FIX: ich_pb2.ACTION_FIX,
}


def response_of(classification: Classification) -> ich_pb2.ClassifyResponse:
    """The answer to a whole request."""
    return ich_pb2.ClassifyResponse(
        request_id=classification.request_id,
        model=model_of(classification.model),
        slices=[slice_of(item, item.index) for item in classification.slices],
        timings_ms=ich_pb2.Timings(**classification.timings_ms),
    )


def slice_of(item: SliceResult, index: int) -> ich_pb2.SliceResult:
    """The answer for one slice, at `index` of its request or stream."""
    scores = item.probabilities
    return ich_pb2.SliceResult(
        index=index,
        file_name=item.name or "",
        sop_instance_uid=item.identity.sop_instance_uid,
        series_instance_uid=item.identity.series_instance_uid,
        study_instance_uid=item.identity.study_instance_uid,
        status=STATUSES[item.status],
        probabilities=None if scores is None else ich_pb2.Probabilities(**scores),
        findings=item.findings,
        any_consistent=item.any_consistent,
        window=None if item.window is None else _window_of(item.window),
        warnings=[violation_of(violation) for violation in item.warnings],
        errors=[violation_of(violation) for violation in item.errors],
        frame=item.frame,
    )


def model_of(model: ModelInfo) -> ich_pb2.Model:
    """Which model answered."""
    known = {name: share for name, share in model.assumed_prevalence.items() if share is not None}
    return ich_pb2.Model(
        name=model.name, tag=model.tag, version=model.version, assumed_prevalence=known
    )


def violation_of(violation: Violation) -> ich_pb2.Violation:
    """One broken rule."""
    return ich_pb2.Violation(
        code=violation.code,
        action=ACTIONS[violation.action],
        message=violation.message,
        keyword=violation.keyword,
        tag=violation.tag,
    )


def _window_of(window: DefaultWindow) -> ich_pb2.Window:
    return ich_pb2.Window(center=window.center, width=window.width, substituted=window.substituted)
