"""The page about the input gate is what the code says, and every code has its place on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy import gate_docs
from model_build.gate_families import FAMILIES
from service.api.problem import STATUS as HTTP
from service.config import Settings
from service.dicom.content import SKIPPED, WARNED
from service.dicom.gate import CODES, RULES
from service.dicom.reasons import LIMITED_BY, REASONS
from service.dicom.stow import FAILED, REFERENCED, outcome_of
from service.dicom.violations import FIXED
from service.rpc.status import STATUS as GRPC
from service.types import Action, Kind

EVERYTHING = [*(rule.violation for rule in RULES), *FIXED]


def test_the_committed_page_is_what_the_code_writes() -> None:
    """docs/input-gate.md is never edited by hand; `make gate-docs` writes it."""
    assert gate_docs.PAGE.read_text(encoding="utf-8") == gate_docs.page()


def test_it_is_written_where_asked(tmp_path: Path) -> None:
    """The file holds the page."""
    path = gate_docs.write(tmp_path / "page.md")
    assert path.read_text(encoding="utf-8") == gate_docs.page()


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_documented(code: str) -> None:
    """A client that meets a code finds its row."""
    assert f"| `{code}` |" in gate_docs.page()


def test_every_code_is_mapped_for_every_transport() -> None:
    """HTTP, gRPC and STOW-RS have an answer for each violation that there is."""
    for item in EVERYTHING:
        assert item.kind in HTTP
        assert item.kind in GRPC
        assert outcome_of(item.action, item.kind).sequence in (REFERENCED, FAILED)


@pytest.mark.parametrize("kind", Kind)
def test_nothing_that_can_be_read_fails_a_whole_series(kind: Kind) -> None:
    """Skipped instances are accepted with B007; warned and corrected ones without a reason."""
    skipped = outcome_of(Action.SKIP, kind)
    assert (skipped.sequence, skipped.reason) == (REFERENCED, "B007")
    for action in (Action.WARN, Action.FIX):
        assert outcome_of(action, kind).reason is None
    assert outcome_of(Action.REJECT, Kind.UNSUPPORTED).sequence == REFERENCED


def test_what_no_rule_gives_has_its_reason() -> None:
    """Each code that no row of the rules explains, and nothing else, says when it is given."""
    by_rule = {rule.violation for rule in RULES}
    assert set(REASONS) == {item.code for item in FIXED if item not in by_rule}
    assert set(LIMITED_BY) <= set(REASONS)


def test_the_page_says_how_a_matrix_is_resampled() -> None:
    """One documented method: the mean when reducing, linear when enlarging."""
    (row,) = [line for line in gate_docs.page().splitlines() if "`matrix_resampled`" in line]
    assert "mean over its area when reducing" in row
    assert "linear between pixel centres when enlarging" in row


def test_every_setting_that_is_named_exists() -> None:
    """The page names settings that the service takes."""
    named = {name for rule in RULES for name in rule.settings}
    named |= {name for names in LIMITED_BY.values() for name in names}
    assert named <= set(Settings.model_fields)


def test_the_counts_are_of_the_limits_in_force() -> None:
    """A changed limit of the content check has to be measured again."""
    facts = json.loads(gate_docs.MEASURED.read_text(encoding="utf-8"))
    assert facts["skipped"] == [limit.words for limit in SKIPPED]
    assert facts["warned"] == [limit.words for limit in WARNED]


def test_what_is_no_head_was_found() -> None:
    """Nine of ten pictures of each family are skipped or warned of."""
    facts = json.loads(gate_docs.MEASURED.read_text(encoding="utf-8"))
    for name in FAMILIES:
        counts = [item["families"][name] for item in facts["sets"] if item["heads"]]
        skipped, warned, passed = (sum(column) for column in zip(*counts, strict=True))
        assert skipped + warned > 9 * passed, name


def test_no_head_was_refused() -> None:
    """The requirement that chose the limits: no slice of a head is skipped for its picture."""
    facts = json.loads(gate_docs.MEASURED.read_text(encoding="utf-8"))
    heads = [item for item in facts["sets"] if item["heads"]]
    assert sum(item["read"] for item in heads) > 500
    assert [item["skipped"] for item in heads] == [0] * len(heads)
