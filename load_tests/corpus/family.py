"""Family: the processes of a running service: which of them ended, and how far memory peaked.

mark -> a request -> growth_kib, cpu_ms, deaths       (Linux: proc(5), VmRSS, VmHWM, clear_refs)
"""

from __future__ import annotations

from pathlib import Path

import psutil

from load_tests.target import LoadTestError

_RESET_PEAK = "5"  # proc(5), /proc/pid/clear_refs


class Family:
    """A process and everything below it."""

    def __init__(self, root: psutil.Process) -> None:
        self._root = root
        self._members: list[psutil.Process] = []
        self._before: dict[int, int] = {}
        self._cpu_s = 0.0
        self.take_stock()

    def take_stock(self) -> None:
        """List the members anew."""
        self._members = [self._root, *self._root.children(recursive=True)]

    def mark(self) -> None:
        """Begin a measurement: peaks start at what is resident now."""
        self._before = {}
        for process in self._members:
            try:
                Path(f"/proc/{process.pid}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
            except OSError:
                continue  # it ended: `deaths` says so
            self._before[process.pid] = resident_kib(process.pid, "VmRSS")
        self._cpu_s = self._used_s()

    def cpu_ms(self) -> float:
        """Processor time of all processes since `mark`, ms; in steps of the kernel's 10 ms."""
        return max(0.0, self._used_s() - self._cpu_s) * 1000

    def _used_s(self) -> float:
        return sum(map(cpu_s, self._members))

    def growth_kib(self) -> int:
        """Sum over the processes of peak minus start since `mark`, KiB."""
        peaks = {pid: resident_kib(pid, "VmHWM") for pid in self._before}
        return sum(max(0, peaks[pid] - start) for pid, start in self._before.items())

    def deaths(self) -> int:
        """How many members ended since stock was last taken; their successors are taken in."""
        ended = [process for process in self._members if not is_alive(process)]
        if ended and is_alive(self._root):
            self.take_stock()
        return len(ended)


def cpu_s(process: psutil.Process) -> float:
    """Processor time of a process so far, s; 0 when it has ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that ended and was not waited for yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def resident_kib(pid: int, field: str) -> int:
    """`VmRSS` or `VmHWM` of a process in KiB; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)


def listening_on(port: int) -> psutil.Process:
    """The service that listens on a port of this machine: the topmost process of its family.

    Raises:
        LoadTestError: it cannot be seen, so that memory and deaths could not be measured.
    """
    sockets = psutil.net_connections(kind="tcp")
    owners = [item.pid for item in sockets if item.laddr and item.laddr.port == port and item.pid]
    if not owners:
        raise LoadTestError(
            "The processes of the service cannot be seen from here: run it as the same user, "
            "outside a container, or let this command start it."
        )
    process = psutil.Process(owners[0])
    while (parent := process.parent()) is not None and "bentoml" in " ".join(parent.cmdline()):
        process = parent
    return process
