"""Current: the public contracts as the code has them now."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from service.api.app import create_app
from service.config import Settings
from service.rpc import ich_pb2

FOLDER = Path(__file__).parent


def openapi() -> str:
    """The OpenAPI document, sorted."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, sort_keys=True) + "\n"


def proto() -> str:
    """The messages, numbers and methods of the gRPC API; comments are free to change."""
    file = FileDescriptorProto()
    ich_pb2.DESCRIPTOR.CopyToProto(file)
    return text_format.MessageToString(file)


SNAPSHOTS: dict[Path, Callable[[], str]] = {
    FOLDER / "openapi.json": openapi,
    FOLDER / "ich.proto.txt": proto,
}
