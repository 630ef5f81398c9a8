"""Stow: what a verdict on one instance becomes in an answer to STOW-RS (PS3.18 10.5.3).

Every instance that can be read is accepted: a sender such as Orthanc fails its whole job when one
instance is answered as failed, and one localizer would then lose the series.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.types import Action, Kind

REFERENCED, FAILED = "ReferencedSOPSequence", "FailedSOPSequence"


@dataclass(frozen=True, slots=True)
class StowOutcome:
    """The sequence that names the instance, and the reason beside it.

    Attributes:
        sequence: ReferencedSOPSequence (0008,1199), FailedSOPSequence (0008,1198); an instance
            whose UIDs cannot be read goes to OtherFailures (0008,119A) instead of the latter.
        reason: WarningReason (0008,1196) or FailureReason (0008,1197), hexadecimal; or None.
        meaning: the meaning of the reason (PS3.4 B.2.3, PS3.18 table 10.5.3-1).
    """

    sequence: str
    reason: str | None = None
    meaning: str = ""


STORED = StowOutcome(REFERENCED)
NOT_ASSESSED = StowOutcome(REFERENCED, "B007", "Data set does not match SOP class")
OF_FAILURE: dict[Kind, StowOutcome] = {
    Kind.MALFORMED: StowOutcome(FAILED, "C000", "Cannot understand"),
    Kind.TOO_LARGE: StowOutcome(FAILED, "A700", "Refused: out of resources"),
    # The header is readable: the instance is accepted and said to be not classified.
    Kind.UNSUPPORTED: NOT_ASSESSED,
    Kind.NOT_ASSESSABLE: StowOutcome(FAILED, "A900", "Data set does not match SOP class"),
    Kind.UNAVAILABLE: StowOutcome(FAILED, "A700", "Refused: out of resources"),
    Kind.DEADLINE: StowOutcome(FAILED, "A700", "Refused: out of resources"),
    Kind.INTERNAL: StowOutcome(FAILED, "0110", "Processing failure"),
}


def outcome_of(action: Action, kind: Kind) -> StowOutcome:
    """The outcome of the worst violation of an instance; total over both."""
    if action is Action.REJECT:
        return OF_FAILURE[kind]
    return NOT_ASSESSED if action is Action.SKIP else STORED
