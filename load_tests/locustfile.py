"""Locustfile: HTTP users that post one slice after the other to /classify.

    locust -f load_tests/locustfile.py --host http://127.0.0.1:3000

`python -m load_tests` runs the same file without the web page and reads the latencies from the
file that LOAD_TEST_SAMPLES names.
"""

from __future__ import annotations

import json
import os
import time
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from locust import FastHttpUser, constant, events, task
from locust.env import Environment

from load_tests.payloads import payloads
from load_tests.target import is_loopback

SLICES = payloads()
_samples: list[tuple[float, bool, float]] = []  # latency s, answered well, answered when


class Reader(FastHttpUser):
    """Sends without a pause: with n users, n requests are in flight."""

    wait_time = constant(0)
    connection_timeout = 5.0
    network_timeout = 30.0

    def on_start(self) -> None:
        """Every user starts at the first slice."""
        self.turn = cycle(SLICES)

    @task
    def classify(self) -> None:
        """One slice; anything but a verdict with six probabilities is a failure."""
        headers = {"Content-Type": "application/dicom"}
        with self.client.post(
            "/classify", data=next(self.turn), headers=headers, catch_response=True
        ) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
            elif len(response.json()["slices"][0]["probabilities"] or {}) != 6:
                response.failure("no probabilities")


@events.init.add_listener
def _refuse_other_hosts(environment: Environment, **_: object) -> None:
    if environment.host and not is_loopback(urlsplit(environment.host).hostname or ""):
        raise SystemExit("Load tests run against this machine only.")


@events.request.add_listener
def _keep(response_time: float, exception: BaseException | None, **_: object) -> None:
    _samples.append((response_time / 1000, exception is None, time.monotonic()))


@events.quitting.add_listener
def _write(**_: object) -> None:
    path = os.environ.get("LOAD_TEST_SAMPLES")
    if path:
        Path(path).write_text(json.dumps(_samples), encoding="utf-8")
