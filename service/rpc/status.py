"""Status: failures as gRPC status, with the stable code and the violations as metadata.

ServiceError ─> kind ─> StatusCode, fixed sentence
             ─> trailing metadata: ich-code, ich-problem-bin (ich.v1.Problem), retry-after-ms
"""

from __future__ import annotations

import grpc

from service.errors import NothingClassified, ServiceError
from service.rpc import ich_pb2
from service.rpc.messages import violation_of
from service.types import Kind, Violation

# reliability.md section 4; HTTP has the same table in service.api.problem.
STATUS: dict[Kind, grpc.StatusCode] = {
    Kind.MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.TOO_LARGE: grpc.StatusCode.OUT_OF_RANGE,
    Kind.UNSUPPORTED: grpc.StatusCode.UNIMPLEMENTED,
    Kind.NOT_ASSESSABLE: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.DEADLINE: grpc.StatusCode.DEADLINE_EXCEEDED,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
}
# Clients accept 8 KiB of metadata by default, and base64 may make a third more of ours.
MAX_PROBLEM_BYTES = 4096

Metadata = tuple[tuple[str, str | bytes], ...]


def problem_of(error: ServiceError, request_id: str) -> ich_pb2.Problem:
    """The failure with as many violations as fit; the rest is counted."""
    problem = ich_pb2.Problem(
        code=error.code,
        kind=error.kind.value,
        detail=error.message,
        request_id=request_id,
    )
    for violation, indices in _shared(error).items():
        problem.violations.add(violation=violation_of(violation), slice_indices=indices)
        if problem.ByteSize() > MAX_PROBLEM_BYTES:
            del problem.violations[-1]
            problem.omitted_violations += len(indices)
    return problem


def metadata_of(error: ServiceError, request_id: str) -> Metadata:
    """Trailing metadata of a failure."""
    problem = problem_of(error, request_id).SerializeToString()
    metadata: Metadata = (
        ("ich-code", error.code),
        ("ich-request-id", request_id),
        ("ich-problem-bin", problem),
    )
    if error.retry_after_s is not None:
        metadata += (("retry-after-ms", str(round(error.retry_after_s * 1000))),)
    return metadata


def _shared(error: ServiceError) -> dict[Violation, list[int]]:
    """Each violation with the slices it belongs to: a series mostly fails for one reason."""
    shared: dict[Violation, list[int]] = {}
    if isinstance(error, NothingClassified):
        for item in error.classification.slices:
            for violation in (*item.errors, *item.warnings):
                shared.setdefault(violation, []).append(item.index)
    return shared
