"""Archive: the real Orthanc with the configuration that ships, on free loopback ports."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.orthanc.series_answer import NoAnswer, Server
from tests.factories import UID_ROOT, make_ct_slice

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "deploy" / "orthanc" / "orthanc.json"
SCRIPT = ROOT / "deploy" / "orthanc" / "ich.lua"
STORESCU = Path("/usr/bin/storescu")  # pynetdicom installs another program of this name
PASSWORD = "only-for-this-test"


def orthanc_program() -> str | None:
    """The Orthanc to test: ORTHANC_PROGRAM, or the Debian one (which is not on every PATH)."""
    named = os.environ.get("ORTHANC_PROGRAM")
    return named or shutil.which("Orthanc", path=os.environ["PATH"] + ":/usr/sbin")


NEEDS_ORTHANC = [
    pytest.mark.orthanc,
    pytest.mark.skipif(orthanc_program() is None, reason="the package orthanc is not installed"),
    pytest.mark.skipif(not STORESCU.exists(), reason="the package dcmtk is not installed"),
]


def series_of(count: int, number: int = 1, **fields: Any) -> list[bytes]:
    """Slices of one series; `number` makes it another series of the same study."""
    uid = f"{UID_ROOT}.1.{number}"
    return [
        make_ct_slice(
            seed=seed, SeriesInstanceUID=uid, SOPInstanceUID=f"{uid}.{seed + 1}", **fields
        )
        for seed in range(count)
    ]


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `condition`; fails the test when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds:g} s")


class Archive:
    """One Orthanc process over one storage folder; `start` again after `stop` keeps the data."""

    def __init__(
        self,
        folder: Path,
        classifier_url: str,
        *,
        lua: bool = True,
        slices: int = 32,
        refusals: int = 8,
    ) -> None:
        self.folder = folder
        self.http_port, self.dicom_port = free_port(), free_port()
        self.server = Server(f"http://127.0.0.1:{self.http_port}", "ich", PASSWORD)
        self.environment = os.environ | {
            "ORTHANC_STORAGE": str(folder),
            "ORTHANC_HTTP_PORT": str(self.http_port),
            "ORTHANC_DICOM_PORT": str(self.dicom_port),
            "ORTHANC_REMOTE_ACCESS": "false",
            "ORTHANC_PASSWORD": PASSWORD,
            "ORTHANC_STABLE_AGE": "1",
            "ORTHANC_HEARTBEAT": "1",
            "ORTHANC_LUA": str(SCRIPT if lua else self._empty_script()),
            "CLASSIFIER_URL": classifier_url,
            "CLASSIFIER_RETRY": "1",
            "CLASSIFIER_SLICES": str(slices),
            "CLASSIFIER_REFUSALS": str(refusals),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def _empty_script(self) -> Path:
        path = self.folder / "empty.lua"
        path.write_text("-- nothing\n", encoding="utf-8")
        return path

    def start(self) -> None:
        """Start and wait for the REST interface."""
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                [orthanc_program() or "Orthanc", str(CONFIGURATION)],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self.up_or_dead, 60, "Orthanc is up")

    def stop(self, *, kill: bool = False) -> None:
        """Stop and wait, else the next start finds its port in use."""
        if self.process is None:
            return
        self.process.kill() if kill else self.process.terminate()
        self.process.wait(timeout=20)
        self.process = None

    def up_or_dead(self) -> bool:
        """Whether the REST interface is up; fails at once when the process has ended."""
        assert self.process is not None
        assert self.process.poll() is None, "Orthanc ended at start"
        try:
            return self.server.read("/system") is not None
        except NoAnswer:
            return False

    def version(self) -> tuple[int, ...]:
        """Orthanc's version as numbers."""
        text = json.loads(self.server.read("/system") or b"{}")["Version"]
        return tuple(int(part) for part in text.split("."))

    def store(self, folder: Path, slices: Sequence[bytes]) -> None:
        """Send slices with DCMTK's storescu."""
        folder.mkdir()
        for number, content in enumerate(slices):
            (folder / f"{number:03}.dcm").write_bytes(content)
        command = [str(STORESCU), "127.0.0.1", str(self.dicom_port), "+sd", str(folder)]
        subprocess.run(command, check=True, timeout=60, capture_output=True)

    def series(self) -> list[str]:
        """Orthanc ids of all series."""
        return list(json.loads(self.server.read("/series") or b"[]"))

    def metadata(self, series: str, name: str = "IchServe") -> Any:
        """Decoded metadata of a series; None when there is none."""
        raw = self.server.read(f"/series/{series}/metadata/{name}")
        return None if raw is None else json.loads(raw) if name == "IchServe" else raw.decode()


Launch = Callable[..., Archive]
