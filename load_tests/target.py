"""Target: the addresses under test, from the settings' own variables, on this machine only.

A load generator that can be pointed at any host is a weapon and a mistake waiting to happen:
a clinical service under test load delays real patients. Other hosts are refused.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass


class LoadTestError(Exception):
    """A sentence for the person at the keyboard; the run ends with it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Host (loopback), HTTP port and gRPC port of the service under test."""

    host: str
    http_port: int
    grpc_port: int

    @property
    def url(self) -> str:
        """Base URL of the HTTP API."""
        return f"http://{self._literal}:{self.http_port}"

    @property
    def address(self) -> str:
        """Address of the gRPC API."""
        return f"{self._literal}:{self.grpc_port}"

    @property
    def _literal(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def is_loopback(host: str) -> bool:
    """Whether a host is this machine; names other than localhost could resolve to anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def target_from(environment: Mapping[str, str] = os.environ) -> Target:
    """The target named by LOAD_TEST_HOST, ICH_HTTP_PORT and ICH_GRPC_PORT.

    Raises:
        LoadTestError: the host is not loopback or a port is no number.
    """
    host = environment.get("LOAD_TEST_HOST", "127.0.0.1")
    if not is_loopback(host):
        raise LoadTestError("Load tests run against this machine only: set LOAD_TEST_HOST to it.")
    try:
        http_port = int(environment.get("ICH_HTTP_PORT", "3000"))
        grpc_port = int(environment.get("ICH_GRPC_PORT", "50051"))
    except ValueError as error:
        raise LoadTestError("ICH_HTTP_PORT and ICH_GRPC_PORT must be numbers.") from error
    return Target(host, http_port, grpc_port)


def require_ready(target: Target) -> None:
    """Raise LoadTestError unless the service answers its readiness check."""
    connection = http.client.HTTPConnection(target.host, target.http_port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise LoadTestError(
            f"No service answers at {target.url}. Start it with `make serve`, then try again."
        ) from error
    finally:
        connection.close()
    if status != 200:
        raise LoadTestError(f"The service at {target.url} is not ready; its log says why.")
