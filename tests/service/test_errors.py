"""Tests of the error tree: every error has a stable code, and the worst kind decides."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from service.errors import (
    SEVERITY,
    NothingClassified,
    ServiceError,
    Unavailable,
    ensure_classified,
    worst_kind,
)
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


def all_errors(base: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """The tree under a class, without the class itself."""
    for child in base.__subclasses__():
        yield child
        yield from all_errors(child)


def refused(*faults: tuple[str, Kind]) -> Classification:
    """A request of one rejected slice per fault."""
    slices = tuple(
        SliceResult(
            index=place,
            name=None,
            identity=Identity(),
            status=Status.REJECTED,
            errors=(Violation(code, Action.REJECT, "A sentence.", kind),),
        )
        for place, (code, kind) in enumerate(faults)
    )
    return Classification("request", ModelInfo("ich", "ich:1", "1"), slices)


@pytest.mark.parametrize("error", set(all_errors()) - {NothingClassified}, ids=lambda e: e.code)
def test_every_error_has_its_own_code_and_sentence(error: type[ServiceError]) -> None:
    """Codes are slugs that no other error has, and the public sentence is not the default.

    A refinement that sets no code of its own is its base, said more exactly.
    """
    coded = [other for other in all_errors() if "code" in vars(other)]
    others = [other.code for other in coded if other is not error]
    assert error in coded or error.__base__ in coded
    if error not in coded:
        others.remove(error.code)
    assert re.fullmatch(r"[a-z][a-z_]+", error.code)
    assert error.code not in others
    assert error.message != ServiceError.message


def test_what_a_retry_cures_says_when() -> None:
    """All kinds of unavailability carry a time to wait, and no other error does."""
    waits = {error for error in all_errors() if error.retry_after_s}
    assert waits == {Unavailable, *all_errors(Unavailable)}
    assert {error.kind for error in waits} == {Kind.UNAVAILABLE}


def test_severity_ranks_every_kind_once() -> None:
    """The ranking is total, so that any mixture of errors has a status."""
    assert sorted(SEVERITY) == sorted(Kind)


@pytest.mark.parametrize("milder", range(1, len(SEVERITY)))
def test_worst_kind_wins(milder: int) -> None:
    """Of two neighbouring kinds the more severe decides, in either order."""
    severe, mild = SEVERITY[milder - 1], SEVERITY[milder]
    both = [Violation("a", Action.REJECT, "", mild), Violation("b", Action.REJECT, "", severe)]
    assert worst_kind(both) is worst_kind(both[::-1]) is severe


def test_no_error_at_all_is_internal() -> None:
    """A refused request without a reason is our own mistake."""
    assert worst_kind([]) is Kind.INTERNAL


def test_code_is_that_of_the_one_fault() -> None:
    """Slices that all broke the same rule give the request that rule's code and kind."""
    error = NothingClassified(refused(("modality", Kind.NOT_ASSESSABLE)))
    assert (error.code, error.kind) == ("modality", Kind.NOT_ASSESSABLE)
    twice = NothingClassified(refused(("not_dicom", Kind.MALFORMED), ("not_dicom", Kind.MALFORMED)))
    assert (twice.code, twice.kind) == ("not_dicom", Kind.MALFORMED)


def test_code_of_different_faults_is_general() -> None:
    """Two different faults of the deciding kind have no code in common."""
    faults = (("modality", Kind.NOT_ASSESSABLE), ("localizer", Kind.NOT_ASSESSABLE))
    assert NothingClassified(refused(*faults)).code == "not_assessed"


def test_code_belongs_to_the_deciding_kind() -> None:
    """A milder fault beside the deciding one does not blur its code."""
    error = NothingClassified(
        refused(("not_dicom", Kind.MALFORMED), ("modality", Kind.NOT_ASSESSABLE))
    )
    assert (error.code, error.kind) == ("modality", Kind.NOT_ASSESSABLE)


def test_one_classified_slice_is_enough() -> None:
    """A classification passes as soon as one slice was classified, and only then."""
    refused_only = refused(("modality", Kind.NOT_ASSESSABLE))
    scored = SliceResult(1, None, Identity(), Status.CLASSIFIED)
    mixed = Classification("r", refused_only.model, (*refused_only.slices, scored))
    assert ensure_classified(mixed) is mixed
    with pytest.raises(NothingClassified) as failure:
        ensure_classified(refused_only)
    assert failure.value.classification is refused_only
