"""Tests of the failures as gRPC status: a total table, and a problem that fits into metadata."""

from __future__ import annotations

import grpc

from service.errors import NothingClassified, QueueFull
from service.rpc.status import MAX_PROBLEM_BYTES, STATUS, metadata_of, problem_of
from service.types import (
    Action,
    Classification,
    Identity,
    Kind,
    ModelInfo,
    SliceResult,
    Status,
    Violation,
)


def refusal(*violations: tuple[Violation, ...]) -> NothingClassified:
    """A request whose slices have these violations."""
    slices = tuple(
        SliceResult(index, None, Identity(), Status.SKIPPED, errors=errors)
        for index, errors in enumerate(violations)
    )
    return NothingClassified(Classification("id", ModelInfo("m", "m:1", "1"), slices))


def violation(code: str) -> Violation:
    """A violation of a usual length."""
    return Violation(code, Action.SKIP, "The modality is not CT.", keyword="Modality")


def test_table_is_total() -> None:
    """Every kind has a status that is not OK, and there is nothing else."""
    assert set(STATUS) == set(Kind)
    assert grpc.StatusCode.OK not in STATUS.values()


def test_shared_violation_is_sent_once() -> None:
    """A series that fails for one reason is one violation with all its slices."""
    problem = problem_of(refusal(*[(violation("not_ct"),)] * 64), "the-id")
    (shared,) = problem.violations
    assert list(shared.slice_indices) == list(range(64))
    assert (shared.violation.code, shared.violation.keyword) == ("not_ct", "Modality")
    assert (problem.kind, problem.request_id) == ("not_assessable", "the-id")
    assert problem.omitted_violations == 0


def test_problem_fits_into_metadata() -> None:
    """What does not fit is counted, so that no client loses the status to a header limit."""
    problem = problem_of(refusal(*[(violation(f"rule_{n}"),) for n in range(200)]), "id")
    assert problem.ByteSize() <= MAX_PROBLEM_BYTES
    assert len(problem.violations) > 20
    assert len(problem.violations) + problem.omitted_violations == 200


def test_retry_hint_is_in_milliseconds() -> None:
    """A failure that a retry cures says when, in ms; another one does not."""
    assert dict(metadata_of(QueueFull(), "id"))["retry-after-ms"] == "1000"
    assert "retry-after-ms" not in dict(metadata_of(refusal(), "id"))
