"""The gRPC API of the started service: plain client, stream, reflection, health, parity."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from service.rpc import ich_pb2, ich_pb2_grpc
from service.types import LABELS
from tests.e2e.running import RunningService
from tests.factories import sop_uid

SERVICE = "ich.v1.HemorrhageClassifier"
SIZE = 64 * 1024 * 1024


@pytest.fixture
def channel(service: RunningService) -> Iterator[grpc.Channel]:
    """A plain channel to the service, message limits raised for a whole series."""
    options = [("grpc.max_send_message_length", SIZE), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(service.target, options=options) as opened:
        yield opened


def test_a_series_is_classified_in_order(channel: grpc.Channel, series: list[bytes]) -> None:
    """28 slices in one message, 28 results in the same order."""
    stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
    answer = stub.Classify(ich_pb2.ClassifyRequest(slices=series), timeout=30)
    assert [item.index for item in answer.slices] == list(range(28))
    assert [item.sop_instance_uid for item in answer.slices] == [sop_uid(n) for n in range(28)]
    assert {item.status for item in answer.slices} == {ich_pb2.STATUS_CLASSIFIED}


def test_a_stream_is_answered_in_order(channel: grpc.Channel, series: list[bytes]) -> None:
    """One answer per slice under its own id; a bad slice does not end the stream."""
    stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
    bodies = [series[0], b"rubbish", series[1]]
    requests = (
        ich_pb2.ClassifyStreamRequest(id=str(n), dicom=body) for n, body in enumerate(bodies)
    )
    answers = list(stub.ClassifyStream(requests, timeout=30))
    assert [answer.id for answer in answers] == ["0", "1", "2"]
    classified, rejected = ich_pb2.STATUS_CLASSIFIED, ich_pb2.STATUS_REJECTED
    assert [answer.result.status for answer in answers] == [classified, rejected, classified]


def test_both_transports_give_the_same_numbers(
    channel: grpc.Channel, service: RunningService, sample: bytes
) -> None:
    """Bit for bit: the same pipeline is behind both."""
    stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
    by_grpc = stub.Classify(ich_pb2.ClassifyRequest(slices=[sample]), timeout=30).slices[0]
    with service.http() as client:
        by_http = client.post(
            "/classify", content=sample, headers={"Content-Type": "application/dicom"}
        ).json()["slices"][0]
    found = {label: getattr(by_grpc.probabilities, label) for label in LABELS}
    assert found == by_http["probabilities"]
    assert list(by_grpc.findings) == by_http["findings"]


def test_a_bad_object_has_the_same_code_on_both(
    channel: grpc.Channel, service: RunningService
) -> None:
    """The status differs by transport, the stable code does not."""
    stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
    with pytest.raises(grpc.RpcError) as failure:
        stub.Classify(ich_pb2.ClassifyRequest(slices=[b"rubbish"]), timeout=30)
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    trailing = dict(failure.value.trailing_metadata())
    with service.http() as client:
        answer = client.post(
            "/classify", content=b"rubbish", headers={"Content-Type": "application/dicom"}
        )
    assert answer.status_code == 400
    assert answer.json()["code"] == trailing["ich-code"]


def test_health_says_serving(channel: grpc.Channel) -> None:
    """For the server as a whole and for the service by name."""
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", SERVICE):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_client_without_our_stubs_can_call(channel: grpc.Channel, sample: bytes) -> None:
    """Reflection alone gives a generic client everything that it needs for a call."""
    database = ProtoReflectionDescriptorDatabase(channel)
    assert SERVICE in database.get_services()
    method = DescriptorPool(database).FindServiceByName(SERVICE).FindMethodByName("Classify")
    request_class, answer_class = map(GetMessageClass, (method.input_type, method.output_type))
    call = channel.unary_unary(
        f"/{SERVICE}/Classify",
        request_serializer=request_class.SerializeToString,
        response_deserializer=answer_class.FromString,
    )
    answer = call(request_class(slices=[sample]), timeout=30)
    assert 0 <= answer.slices[0].probabilities.any <= 1
