"""Tests of the problems: a total table, and bodies that are made of fixed text."""

from __future__ import annotations

import inspect
import json

import pytest

from service import errors
from service.api.limits import BodyTimeout
from service.api.problem import STATUS, TITLES, documented, problem_response
from service.errors import ServiceError
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


def error_classes() -> list[type[ServiceError]]:
    """Every failure that can be raised without a classification."""
    found = [item for _, item in inspect.getmembers(errors, inspect.isclass)]
    classes = [item for item in found if issubclass(item, ServiceError)]
    return [item for item in classes if item is not errors.NothingClassified]


def test_both_tables_are_total() -> None:
    """Every kind has a status of 400 or more and a title, and there is nothing else."""
    assert set(STATUS) == set(TITLES) == set(Kind)
    assert all(400 <= status < 600 for status in STATUS.values())


@pytest.mark.parametrize("error", error_classes(), ids=lambda item: item.__name__)
def test_every_error_has_an_answer(error: type[ServiceError]) -> None:
    """Status by kind, code and sentence of the class, Retry-After exactly where one is named."""
    answer = problem_response(error(), "the-id")
    problem = json.loads(bytes(answer.body))
    assert answer.status_code == problem["status"] == STATUS[error.kind]
    assert (problem["code"], problem["detail"]) == (error.code, error.message)
    assert problem["request_id"] == "the-id"
    assert ("retry-after" in answer.headers) is (error.retry_after_s is not None)


def test_slow_body_has_its_own_status() -> None:
    """A body that is late is 408, though its kind is that of malformed requests."""
    answer = problem_response(BodyTimeout(), "x")
    assert (answer.status_code, json.loads(bytes(answer.body))["code"]) == (408, "body_timeout")


def test_retry_after_is_never_zero() -> None:
    """A client that is told zero seconds would come back into the same full queue."""
    error = errors.QueueFull()
    error.retry_after_s = 0.2
    assert problem_response(error, "x").headers["retry-after"] == "1"


def test_file_name_stays_out_of_a_problem() -> None:
    """A name can be a patient's; the client knows by the index which file is meant."""
    error = errors.EngineFailure()
    violation = Violation(error.code, Action.REJECT, error.message, error.kind)
    refused = SliceResult(3, "DOE^JANE.dcm", Identity(), Status.REJECTED, errors=(violation,))
    nothing = errors.NothingClassified(Classification("x", ModelInfo("a", "b", "c"), (refused,)))
    problem = json.loads(bytes(problem_response(nothing, "x").body))
    assert problem["slices"][0]["index"] == 3
    assert problem["slices"][0]["file_name"] is None
    assert "DOE" not in json.dumps(problem)


def test_every_status_can_be_documented() -> None:
    """OpenAPI has an entry for each status that a failure can have."""
    assert set(documented(*STATUS.values(), 408)) == {*STATUS.values(), 408}
