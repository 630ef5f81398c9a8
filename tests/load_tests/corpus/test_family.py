"""The processes of a service as a corpus run measures them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from load_tests.corpus.family import Family, listening_on
from load_tests.target import LoadTestError

# A parent with one child; on a line from us the child takes and frees 40 MiB, or is killed.
PARENT = """
import subprocess, sys
CHILD = '''
import sys
for line in sys.stdin:
    block = bytearray(40 * 1024 * 1024)
    block[::4096] = b"x" * len(block[::4096])
    del block
    print("done", flush=True)
'''
child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
print("ready", flush=True)
for line in sys.stdin:
    if line == "kill\\n":
        child.kill()
        child.wait()
    else:
        child.stdin.write(line)
        child.stdin.flush()
        child.stdout.readline()
    print("done", flush=True)
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A running parent with its child."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()  # its child ends with its standard input


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Have the parent do something, and wait until it is done."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_a_peak_that_is_over_is_still_seen(parent: subprocess.Popen[str]) -> None:
    """40 MiB that a child took and gave back between two looks are its growth."""
    family = Family(psutil.Process(parent.pid))
    family.mark()
    assert family.growth_kib() < 4 * 1024
    tell(parent, "grow")
    assert 39 * 1024 < family.growth_kib() < 48 * 1024
    family.mark()
    assert family.growth_kib() < 4 * 1024
    assert family.deaths() == 0


def test_processor_time_is_seen() -> None:
    """A loop of a quarter of a second is processor time; waiting for a line is none."""
    loop = "import sys, time\nfor line in sys.stdin:\n    end = time.process_time() + float(line)\n"
    loop += "    while time.process_time() < end: pass\n    print('done', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", loop], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        tell(process, "0")
        family = Family(psutil.Process(process.pid))
        family.mark()
        assert family.cpu_ms() == 0
        tell(process, "0.25")
        assert 200 <= family.cpu_ms() <= 400
        process.kill()


def test_a_death_is_counted_once(parent: subprocess.Popen[str]) -> None:
    """A killed child is one death; the next look finds the family as it is then."""
    family = Family(psutil.Process(parent.pid))
    family.mark()
    tell(parent, "kill")
    assert family.deaths() == 1
    assert family.growth_kib() >= 0
    assert family.deaths() == 0


def test_death_of_the_root(parent: subprocess.Popen[str]) -> None:
    """A service that is gone stays dead, and is no error of the measurement."""
    family = Family(psutil.Process(parent.pid))
    parent.kill()
    parent.wait()
    assert family.deaths() >= 1
    family.mark()
    assert family.growth_kib() >= 0


def test_the_process_behind_a_port_is_found() -> None:
    """A listener of this machine is found; a port that nobody listens on is an error."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listening_on(port).pid == psutil.Process().pid
    with pytest.raises(LoadTestError):
        listening_on(port)
