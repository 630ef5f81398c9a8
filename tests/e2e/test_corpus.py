"""Every file of the shared corpora, where they lie beside the checkout, through the service.

They are no part of the repository; everything here is skipped, visibly, without them. The same
run by hand: unpack them into a folder that git ignores, then `make corpus CORPUS=folder`.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import psutil
import pytest

from load_tests.corpus.family import Family
from load_tests.corpus.run import run
from load_tests.corpus.verdicts import complaints, summary
from load_tests.target import Target
from tests.e2e.running import ROOT, RunningService

DATA = ROOT.parent / "shared" / "data"
ARCHIVES = [
    DATA / f"{name}.tar.xz" for name in ("real_head_ct", "dicom_test_files", "dicom_fuzzing_corpus")
]
HEAD = "*head_ct_ge/*.dcm"

pytestmark = pytest.mark.skipif(
    not all(path.is_file() for path in ARCHIVES), reason="needs the archives of ../shared/data"
)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked archives."""
    folder = tmp_path_factory.mktemp("corpora")
    for path in ARCHIVES:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    return folder


@pytest.mark.slow
def test_shared_corpora(service: RunningService, corpora: Path) -> None:
    """No 5xx, no death, no slow or costly verdict; the whole real head series is classified."""
    family = Family(psutil.Process(service.process.pid))
    target = Target("127.0.0.1", service.http_port, service.grpc_port)
    verdicts = list(run(corpora, target, family, tries=1))
    assert complaints(verdicts, HEAD, busy=True) == [], summary(verdicts)
    assert len({item.file for item in verdicts if "head_ct_ge/" in item.file}) >= 28
