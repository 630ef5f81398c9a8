"""Serve: what `make serve` runs: start the service, say how to try it, stop it cleanly.

settings ─> ports free? ─> BENTOML_HOME ours alone? ─> bentoml serve ─> /readyz ─> addresses, curl
SIGINT | SIGTERM | SIGHUP ─> SIGTERM to the service ─> its exit code

Standard library and the settings only: it must be able to say what is wrong with the rest.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO

from service.config import ConfigError, Settings, read_settings

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = Path("samples/synthetic_slice.dcm")
READY_TIMEOUT_S = 180.0
POLL_S = 0.25


class LaunchError(Exception):
    """The service cannot be started here; the text is one plain sentence for the terminal."""


def bentoml_home() -> Path:
    """The store of this instance: `BENTOML_HOME`, or a folder inside the checkout."""
    return Path(os.environ.get("BENTOML_HOME") or ROOT / ".state" / "bentoml")


def claim(home: Path) -> IO[str]:
    """Lock the store for this instance; the lock lives as long as the returned file.

    BentoML wipes the metrics folder of its home when it starts, so a second service on the same
    home would silently blank the metrics of the first.

    Raises:
        LaunchError: another instance holds the lock.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock = (home / "serve.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise LaunchError(
            "Another service is running from this BENTOML_HOME. Stop it, or give this one a "
            "BENTOML_HOME of its own (and other ports)."
        ) from error
    return lock


def require_free(host: str, port: int, setting: str) -> None:
    """Raise `LaunchError` when the address cannot be bound, naming the setting that moves it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do; a listening socket still refuses, one in TIME_WAIT does not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LaunchError(
                f"Port {port} on {host} cannot be used ({error.strerror}). "
                f"Set {setting} to another one."
            ) from error


def reachable(host: str) -> str:
    """The host to type into a client for a service bound to `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (compared, not bound)
    return f"[{host}]" if ":" in host else host


def is_ready(url: str) -> bool:
    """Whether /readyz answers 200 within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  (our own http URL)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_ready(url: str, alive: Callable[[], bool], timeout_s: float = READY_TIMEOUT_S) -> bool:
    """Poll until ready; False when the service ended or the time is over."""
    end = time.monotonic() + timeout_s
    while alive() and time.monotonic() < end:
        if is_ready(url):
            return True
        time.sleep(POLL_S)
    return False


def welcome(settings: Settings) -> str:
    """What a newcomer needs next: two addresses and one command."""
    http = f"http://{reachable(settings.http_host)}:{settings.http_port}"
    grpc = f"{reachable(settings.grpc_host)}:{settings.grpc_port}"
    return f"""
ICH Serve is ready. Research use only, not a medical device; trained on synthetic images.

  HTTP   {http}        (interactive documentation: {http}/docs)
  gRPC   {grpc}        (ich.v1.HemorrhageClassifier, reflection on)

Try it with the synthetic sample slice, from another terminal:

  curl -sS --data-binary @{SAMPLE} -H 'Content-Type: application/dicom' {http}/classify

Ctrl-C stops the service after the work in progress is done.
"""


def say(text: str) -> None:
    """Write for the person at the terminal; standard error, as the log, so that order is kept."""
    sys.stderr.write(text + "\n")


def serve(settings: Settings) -> int:
    """Run the service in the foreground until a signal or its end; returns its exit code."""
    command = [sys.executable, "-m", "bentoml", "serve", "service.service:IchService"]
    environment = {
        **os.environ,
        "BENTOML_HOME": str(bentoml_home()),
        "BENTOML_DO_NOT_TRACK": "true",
    }
    # A session of its own: Ctrl-C then reaches it once, through us, and as a request to drain.
    child = subprocess.Popen(  # noqa: S603  (a fixed command)
        command, cwd=ROOT, env=environment, start_new_session=True
    )

    def forward(number: int, frame: FrameType | None) -> None:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    url = f"http://{reachable(settings.http_host)}:{settings.http_port}/readyz"
    if wait_ready(url, lambda: child.poll() is None):
        say(welcome(settings))
    elif child.poll() is None:
        say("The service is up but not ready; its log above says why.")
    return child.wait()


def main() -> int:
    """Check what can be checked before the start, then serve."""
    try:
        settings = read_settings()
        require_free(settings.http_host, settings.http_port, "ICH_HTTP_PORT")
        require_free(settings.grpc_host, settings.grpc_port, "ICH_GRPC_PORT")
        lock = claim(bentoml_home())
    except (ConfigError, LaunchError) as error:
        say(f"ich-serve refuses to start: {error}")
        return 2
    with lock:
        return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
