"""Errors: the tree of everything that can end a request, with stable codes and no transport.

ServiceError                 kind          code
├── EmptyRequest             MALFORMED     empty_request
├── MalformedRequest         MALFORMED     malformed_request
├── TooLarge                 TOO_LARGE     too_large
├── TooManySlices            TOO_LARGE     too_many_slices
├── UnsupportedMediaType     UNSUPPORTED   media_type
├── NothingClassified        of its worst  not_assessed, or the code of the one violation
├── Unavailable              UNAVAILABLE
│   ├── QueueFull                          queue_full
│   ├── Draining                           draining
│   └── NotReady                           not_ready
├── DeadlineExceeded         DEADLINE      deadline_exceeded
└── EngineFailure            INTERNAL      engine_failure

A transport maps `kind` to its own status (`api.problem`, `rpc.status`); both maps are total.
Messages are fixed text: nothing of the input may reach them.
"""

from __future__ import annotations

from service.types import Classification, Kind, Status, Violation

# When no slice was classified, the status is that of the failure the client can act on first.
SEVERITY: tuple[Kind, ...] = (
    Kind.INTERNAL,
    Kind.DEADLINE,
    Kind.UNAVAILABLE,
    Kind.NOT_ASSESSABLE,
    Kind.UNSUPPORTED,
    Kind.TOO_LARGE,
    Kind.MALFORMED,
)


class ServiceError(Exception):
    """Base: a failure with a stable `code`, a `kind` and a fixed public sentence."""

    kind: Kind = Kind.INTERNAL
    code: str = "internal"
    message: str = "Internal error."
    retry_after_s: float | None = None


class EmptyRequest(ServiceError):
    """The request carries no bytes to classify."""

    kind, code = Kind.MALFORMED, "empty_request"
    message = "The request holds no file."


class MalformedRequest(ServiceError):
    """The envelope (multipart body, message) cannot be read."""

    kind, code = Kind.MALFORMED, "malformed_request"
    message = "The request body cannot be read as its media type."


class TooLarge(ServiceError):
    """A body or one of its files is over its size limit."""

    kind, code = Kind.TOO_LARGE, "too_large"
    message = "The request or one of its files is over the size limit."


class TooManySlices(ServiceError):
    """More files than one request may hold."""

    kind, code = Kind.TOO_LARGE, "too_many_slices"
    message = "The request holds more files than one request may."


class UnsupportedMediaType(ServiceError):
    """The media type or content encoding is not one that the endpoint takes."""

    kind, code = Kind.UNSUPPORTED, "media_type"
    message = "The media type or content encoding of the request is not supported."


class Unavailable(ServiceError):
    """Base of the conditions that a retry cures."""

    kind, code = Kind.UNAVAILABLE, "unavailable"
    message = "The service cannot take the request now."
    retry_after_s: float | None = 1.0


class QueueFull(Unavailable):
    """Admission refused: the bounded queue has no room for the slices."""

    code = "queue_full"
    message = "The queue is full; retry later."


class Draining(Unavailable):
    """The service is stopping and takes no new work."""

    code = "draining"
    message = "The service is shutting down; retry on another instance."
    retry_after_s: float | None = 5.0


class NotReady(Unavailable):
    """The model is not verified and warmed yet."""

    code = "not_ready"
    message = "The service is not ready yet."
    retry_after_s: float | None = 5.0


class DeadlineExceeded(ServiceError):
    """The request's deadline passed before its answer was complete."""

    kind, code = Kind.DEADLINE, "deadline_exceeded"
    message = "The deadline passed before the answer was complete."


class EngineFailure(ServiceError):
    """The forward pass failed, or gave values that are not finite, for this slice."""

    kind, code = Kind.INTERNAL, "engine_failure"
    message = "The model failed on this slice."


class NothingClassified(ServiceError):
    """No slice of the request was classified; carries every violation of every slice."""

    message = "No slice of the request could be classified."

    def __init__(self, classification: Classification) -> None:
        """Take kind and code from the errors of the slices."""
        super().__init__()
        self.classification = classification
        errors = [error for item in classification.slices for error in item.errors]
        self.kind = worst_kind(errors)
        codes = {error.code for error in errors if error.kind is self.kind}
        self.code = codes.pop() if len(codes) == 1 else "not_assessed"


def worst_kind(errors: list[Violation]) -> Kind:
    """The kind that decides the status of a request in which nothing was classified."""
    kinds = {error.kind for error in errors}
    return next((kind for kind in SEVERITY if kind in kinds), Kind.INTERNAL)


def ensure_classified(classification: Classification) -> Classification:
    """Return the classification, or raise `NothingClassified` when no slice was classified."""
    if not any(item.status is Status.CLASSIFIED for item in classification.slices):
        raise NothingClassified(classification)
    return classification


def first_failure(failures: ExceptionGroup[Exception]) -> Exception:
    """The first failure, however many task groups it came through."""
    failure: Exception = failures
    while isinstance(failure, ExceptionGroup):
        failure = failure.exceptions[0]
    return failure
