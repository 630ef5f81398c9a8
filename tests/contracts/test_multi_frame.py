"""A multi-frame object all the way: decode processes, pipeline, and the answers of both skins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from service.api.app import create_app
from service.config import MIB, Settings
from service.dicom.limits import Caps
from service.dicom.pool import DecodePool
from service.engine.batcher import Batcher
from service.pipeline import Pipeline
from service.rpc import ich_pb2
from service.rpc.ich_pb2_grpc import HemorrhageClassifierStub
from service.rpc.server import RpcServer
from service.types import ModelInfo
from tests.enhanced_ct import ENHANCED, LEGACY_CONVERTED, make_enhanced
from tests.factories import EXPLICIT, head_hu, make_ct_slice, sop_uid
from tests.service.fakes import FakePredictor, make_manifest
from tests.service.rpc.calling import connected, items, problem_in, refused

SETTINGS = Settings(max_wait_ms=1.0)
SAGITTAL = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}


@dataclass
class Served:
    """Both transports over one pipeline with a real decode process."""

    http: httpx.AsyncClient
    rpc: HemorrhageClassifierStub

    async def post(self, *bodies: bytes) -> httpx.Response:
        """One request of these objects."""
        return await self.http.post("/classify", files=[("files", ("x", body)) for body in bodies])


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """HTTP without a socket, gRPC over one; the logits of a slice are its first voxel + 0..5."""
    decoder = DecodePool(1, 30.0, 768 * MIB, Caps())
    await decoder.start()
    batcher = Batcher(FakePredictor(), max_batch=4, max_wait_s=0.001, max_queue=256)
    batcher.start()
    info = ModelInfo("ich", "ich:1", "1.0.0")
    pipeline = Pipeline(decoder, batcher, make_manifest(), info, SETTINGS)
    app = create_app(SETTINGS)
    app.state.pipeline = pipeline
    server = RpcServer(pipeline, SETTINGS.model_copy(update={"grpc_port": 0}))
    await server.start()
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
        connected(server.port) as channel,
    ):
        yield Served(http, HemorrhageClassifierStub(channel))
    await server.stop(0)
    await batcher.stop(0)
    await decoder.stop()


def marked(value: int) -> dict[str, Any]:
    """The fields of a slice whose first voxel, in the air, is of so many HU."""
    hu = head_hu(512).copy()
    hu[0, 0] = value
    return {"pixels": hu.astype(np.int32) + 1024}


def legacy(made: Dataset) -> None:
    """The other class of multi-frame CT objects (PS3.3 A.70)."""
    made.SOPClassUID = LEGACY_CONVERTED


def sigmoid(value: float) -> float:
    """The probability of a logit under the calibration of the fakes."""
    return float(1 / (1 + np.exp(-value)))


@pytest.mark.parametrize("sop_class", [ENHANCED, LEGACY_CONVERTED])
@pytest.mark.parametrize("syntax", [EXPLICIT, str(RLELossless)])
async def test_frames_are_answered_one_by_one_on_both(
    served: Served, syntax: str, sop_class: str
) -> None:
    """Index of the object, number and scores of the frame, each with its own verdict."""
    body = make_enhanced(
        3,
        transfer_syntax=syntax,
        change=legacy if sop_class == LEGACY_CONVERTED else None,
        fields=[marked(-1), SAGITTAL, marked(1)],
    )
    bodies = [make_ct_slice(**marked(0)), body]
    answer = await served.post(*bodies)
    assert answer.status_code == 200
    slices = answer.json()["slices"]
    assert [(item["index"], item["frame"]) for item in slices] == [
        (0, None),
        (1, 1),
        (1, 2),
        (1, 3),
    ]
    assert [item["status"] for item in slices] == ["classified"] * 2 + ["skipped", "classified"]
    assert [[error["code"] for error in item["errors"]] for item in slices][2] == ["not_axial"]
    assert {item["sop_instance_uid"] for item in slices[1:]} == {sop_uid(0)}
    scores = [item["probabilities"]["epidural"] for item in slices if item["probabilities"]]
    assert scores == pytest.approx([sigmoid(0), sigmoid(-1), sigmoid(1)])

    given = await served.rpc.Classify(ich_pb2.ClassifyRequest(slices=bodies))
    found = [(item.index, item.frame if item.HasField("frame") else None) for item in given.slices]
    assert found == [(item["index"], item["frame"]) for item in slices]
    assert [
        item.probabilities.epidural for item in given.slices if item.HasField("probabilities")
    ] == scores
    streamed = [item async for item in served.rpc.ClassifyStream(items(*bodies))]
    assert [item.id for item in streamed] == ["id-0", "id-1", "id-1", "id-1"]
    assert [item.result.frame for item in streamed] == [0, 1, 2, 3]


async def test_no_frame_classified_is_one_problem(served: Served) -> None:
    """The problem tells the verdict on every frame, on both transports."""
    body = make_enhanced(2, fields=[SAGITTAL, {"RescaleSlope": "0"}])
    answer = await served.post(body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "not_assessed")
    assert [item["frame"] for item in problem["slices"]] == [1, 2]
    assert [item["code"] for item in problem["violations"]] == ["not_axial", "rescale_missing"]
    call = served.rpc.Classify(ich_pb2.ClassifyRequest(slices=[body]))
    status, metadata = await refused(call)
    assert (status, metadata["ich-code"]) == (grpc.StatusCode.FAILED_PRECONDITION, "not_assessed")
    codes = [item.violation.code for item in problem_in(metadata).violations]
    assert codes == ["not_axial", "rescale_missing"]


async def test_what_is_wrong_with_the_object_is_said_once(served: Served) -> None:
    """More frames than an object may have: one answer without a frame number."""

    def many(made: Dataset) -> None:
        made.NumberOfFrames = Caps().max_frames + 1

    body = make_enhanced(2, change=many)
    answer = await served.post(body, make_ct_slice())
    assert answer.status_code == 200
    first, second = answer.json()["slices"]
    assert (first["frame"], first["status"]) == (None, "rejected")
    assert [error["code"] for error in first["errors"]] == ["frame_limit"]
    assert second["status"] == "classified"
    alone = await served.post(body)
    assert (alone.status_code, alone.json()["code"]) == (413, "frame_limit")
