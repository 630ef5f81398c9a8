"""Planted: faults that a test puts into decode processes, to prove that the detector sees them.

FUZZ_PLANT=segfault|hang|raise -> a folder with a sitecustomize.py in PYTHONPATH -> every decode
process imports `install` before any code of the service, which knows nothing of it.
"""

from __future__ import annotations

import ctypes
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

PLANT = "FUZZ_PLANT"
SHARE = 4  # one input in four meets the fault


def _segfault() -> None:
    ctypes.string_at(0)


def _hang() -> None:
    while True:
        pass


def _raise() -> None:
    raise RuntimeError


FAULTS: dict[str, Callable[[], None]] = {"segfault": _segfault, "hang": _hang, "raise": _raise}


def meets_the_fault(body: Any) -> bool:
    """Whether this input meets the fault that `install` plants."""
    return zlib.crc32(body) % SHARE == 0


def install(name: str) -> None:
    """Wrap the reader of this process: inputs of a certain checksum meet the fault."""
    from service.dicom import reader

    read, fault = reader.read, FAULTS[name]

    def faulty(body: Any, caps: Any) -> Any:
        if meets_the_fault(body):
            fault()
        return read(body, caps)

    reader.read = faulty


@contextmanager
def in_the_environment(name: str) -> Iterator[None]:
    """Decode processes that are started meanwhile have the fault; none for an empty name."""
    if not name:
        yield
        return
    code = f"from tests.fuzz.planted import install\ninstall({name!r})\n"
    with TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(code, encoding="utf-8")
        path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
        with patch.dict(os.environ, {"PYTHONPATH": path}):
            yield
