"""The table of hostile objects over HTTP and gRPC to the running service."""

from __future__ import annotations

from pathlib import Path

import psutil

from load_tests.corpus.family import Family
from load_tests.corpus.run import run
from load_tests.corpus.verdicts import CLASSIFIED, Verdict, complaints
from load_tests.target import Target
from service.api.problem import STATUS as HTTP_STATUS
from service.rpc.status import STATUS as GRPC_STATUS
from tests.e2e.running import RunningService
from tests.hostile.case import Case
from tests.hostile.generate import write

# What the skins find before any decoder sees the object.
OF_THE_SKINS = {"empty": "empty_request"}
GRPC_OF_HTTP = {HTTP_STATUS[kind]: code.name for kind, code in GRPC_STATUS.items()} | {200: "OK"}


def as_expected(verdict: Verdict, case: Case) -> bool:
    """Whether one transport gave the verdict of the table."""
    answer = verdict.answer
    expected = str(case.status) if answer.transport == "http" else GRPC_OF_HTTP[case.status]
    code = OF_THE_SKINS.get(case.name, case.code)
    if case.status == 200:
        return answer.status == expected and answer.code == CLASSIFIED
    return answer.status == expected and (not code or code in {answer.code, *answer.violations})


def test_every_hostile_object_gets_its_verdict(service: RunningService, tmp_path: Path) -> None:
    """Status and code of the table on both transports; no death, in bounded time and memory."""
    cases = write(tmp_path / "hostile")
    family = Family(psutil.Process(service.process.pid))
    target = Target("127.0.0.1", service.http_port, service.grpc_port)
    verdicts = list(run(tmp_path / "hostile", target, family, tries=1))
    assert complaints(verdicts, busy=True) == []
    assert len(verdicts) == 2 * len(cases)
    wrong = [item for item in verdicts if not as_expected(item, cases[item.file])]
    assert wrong == []
