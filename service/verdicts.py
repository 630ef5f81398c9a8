"""Verdicts: the answer for an image that has no probabilities.

Decoded with violations, or a failure of this slice alone -> SliceResult
"""

from __future__ import annotations

from collections.abc import Iterable

from service.errors import EngineFailure, ServiceError
from service.types import Action, Decoded, SliceResult, Status, Upload, Violation


def refused(index: int, upload: Upload, decoded: Decoded) -> SliceResult:
    """The answer for a slice without probabilities."""
    errors = blocking(decoded.violations) or (as_violation(EngineFailure()),)
    rejected = any(error.action is Action.REJECT for error in errors)
    return SliceResult(
        index=index,
        name=upload.name,
        identity=decoded.identity,
        status=Status.REJECTED if rejected else Status.SKIPPED,
        warnings=tuple(item for item in decoded.violations if item not in errors),
        errors=errors,
        frame=decoded.frame,
    )


def blocking(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Those that keep a slice from being scored."""
    return tuple(item for item in violations if item.action in (Action.REJECT, Action.SKIP))


def as_violation(error: ServiceError) -> Violation:
    """A failure of one slice, in the form in which the gate reports its own."""
    return Violation(error.code, Action.REJECT, error.message, error.kind)
