"""The answer for an image without probabilities."""

from __future__ import annotations

import pytest

from service.errors import TooLarge
from service.types import Action, Decoded, Identity, Status, Upload
from service.verdicts import as_violation, blocking, refused
from tests.service.fakes import make_violation

UIDS = Identity("1.2.3")


@pytest.mark.parametrize(
    ("actions", "status"),
    [
        ([Action.REJECT], Status.REJECTED),
        ([Action.SKIP], Status.SKIPPED),
        ([Action.SKIP, Action.REJECT], Status.REJECTED),
        ([Action.WARN, Action.SKIP], Status.SKIPPED),
    ],
)
def test_the_worst_action_is_the_status(actions: list[Action], status: Status) -> None:
    """What blocks is an error; a warning stays a warning."""
    violations = tuple(make_violation(action, action.value) for action in actions)
    result = refused(3, Upload(b"x", "name"), Decoded(UIDS, None, violations, 2, 5))
    assert (result.status, result.index, result.frame, result.name) == (status, 3, 2, "name")
    assert result.errors == blocking(violations)
    assert set(result.errors) | set(result.warnings) == set(violations)
    assert result.identity == UIDS


def test_no_reason_is_our_own_failure() -> None:
    """An image that was neither scored nor refused is an engine failure, never silence."""
    (error,) = refused(0, Upload(b"x"), Decoded(UIDS, None)).errors
    assert error.code == "engine_failure"


def test_a_failure_becomes_a_violation_with_its_kind() -> None:
    """Code, kind and fixed sentence are those of the error tree."""
    item = as_violation(TooLarge())
    assert (item.code, item.kind, item.action) == ("too_large", TooLarge.kind, Action.REJECT)
