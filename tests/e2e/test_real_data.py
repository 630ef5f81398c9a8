"""Real scans, where they lie beside the checkout: a whole head series, and a study of other things.

They are no part of the repository; everything here is skipped, visibly, without them.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import grpc
import pydicom
import pytest

from service.rpc import ich_pb2, ich_pb2_grpc
from tests.e2e.running import ROOT, RunningService

ARCHIVE = ROOT.parent / "shared" / "data" / "real_head_ct.tar.xz"
DICOM = {"Content-Type": "application/dicom"}

pytestmark = pytest.mark.skipif(
    not ARCHIVE.is_file(), reason="needs real_head_ct.tar.xz in ../shared/data"
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked archive."""
    folder = tmp_path_factory.mktemp("real")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def files_of(folder: Path, name: str) -> list[Path]:
    """The DICOM files of one study of the archive, sorted by path."""
    (study,) = (path for path in folder.rglob(name) if path.is_dir())
    return sorted(path for path in study.rglob("*") if path.is_file() and path.suffix != ".txt")


def test_whole_real_series_is_classified_in_order(service: RunningService, real: Path) -> None:
    """28 GE slices in one request: 28 results in order, the same over gRPC."""
    slices = [path for path in files_of(real, "head_ct_ge") if pydicom.misc.is_dicom(path)]
    bodies = [path.read_bytes() for path in slices]
    uids = [str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in slices]
    assert len(bodies) == 28
    files = [("files", (path.name, body)) for path, body in zip(slices, bodies, strict=True)]
    with service.http(timeout_s=60) as client:
        answer = client.post("/classify", files=files)
    assert answer.status_code == 200
    found = answer.json()["slices"]
    assert [item["sop_instance_uid"] for item in found] == uids
    assert {item["status"] for item in found} == {"classified"}
    options = [("grpc.max_send_message_length", 64 * 1024 * 1024)]
    with grpc.insecure_channel(service.target, options=options) as channel:
        stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
        by_grpc = stub.Classify(ich_pb2.ClassifyRequest(slices=bodies), timeout=60).slices
    # A convolution adds in another order in another batch, hence not bit for bit.
    expected = [pytest.approx(item["probabilities"]["any"], abs=1e-5) for item in found]
    assert [item.probabilities.any for item in by_grpc] == expected


def test_one_real_slice_as_raw_body(service: RunningService, real: Path) -> None:
    """What the first curl of a user with data of their own does."""
    first = next(p for p in files_of(real, "head_ct_ge") if pydicom.misc.is_dicom(p))
    with service.http() as client:
        answer = client.post("/classify", content=first.read_bytes(), headers=DICOM)
    assert answer.status_code == 200
    assert len(answer.json()["slices"][0]["probabilities"]) == 6


def is_no_head_slice(path: Path) -> bool:
    """Whether the object says itself that it is no axial CT image."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    ct = dataset.get("SOPClassUID") == "1.2.840.10008.5.1.4.1.1.2"
    return not ct or "LOCALIZER" in dataset.get("ImageType", ())


def test_objects_that_are_no_head_slices_get_a_code(service: RunningService, real: Path) -> None:
    """Localizers, colour captures and a DICOMDIR are refused with a code; nothing is a 5xx."""
    objects = files_of(real, "ct_philips_mixed")
    expected = {path.name for path in objects if is_no_head_slice(path)}
    assert len(objects) == 10
    assert len(expected) >= 3
    refused = set()
    with service.http() as client:
        for path in objects:
            answer = client.post("/classify", content=path.read_bytes(), headers=DICOM)
            assert answer.status_code in (200, 400, 413, 415, 422)
            if answer.status_code != 200:
                assert answer.json()["violations"][0]["code"]
                refused.add(path.name)
    assert expected <= refused
