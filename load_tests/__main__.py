"""Load tests: a short HTTP and a short gRPC run against a started service, and one table.

readiness ─> locust (closed loop) ─> gRPC closed loop ─> gRPC open loop at 70 % ─> table, limits
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from load_tests import grpc_load
from load_tests.payloads import payloads
from load_tests.summary import Sample, Summary, read_limits, summarise, table, violations
from load_tests.target import LoadTestError, Target, require_ready, target_from

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
NO_ERRORS = {"errors": 0.0}


def http_samples(target: Target, users: int, seconds: float) -> list[Sample]:
    """Run locust in a process of its own, because it patches the sockets of the whole process.

    Raises:
        LoadTestError: locust did not run to its end.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.json"
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless"]
        command += ["--host", target.url, "--users", str(users), "--spawn-rate", str(users)]
        command += ["--run-time", f"{seconds:g}s", "--stop-timeout", "30", "--only-summary"]
        environment = os.environ | {
            "LOAD_TEST_SAMPLES": str(path),
            "PYTHONPATH": str(LOCUSTFILE.parents[1]),
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if not path.exists():
            raise LoadTestError(f"locust did not run:\n{done.stderr[-2000:]}")
        rows = json.loads(path.read_text("utf-8"))
    begun = min((done - latency for latency, _, done in rows), default=0.0)
    return [Sample(latency, ok, done - begun) for latency, ok, done in rows]


def measure(target: Target, options: argparse.Namespace) -> list[Summary]:
    """All runs, one after the other: together they would only measure each other."""
    seconds, users = options.seconds, options.users
    http = http_samples(target, users, seconds)
    slices = payloads()
    closed, open_, rate = asyncio.run(grpc_load.run(target, slices, users, seconds, options.load))
    print(f"{users} callers, {seconds:g} s a run; open loop at {rate:.1f} requests/s\n")
    return [
        summarise("http closed", http),
        summarise("grpc closed", closed),
        summarise("grpc open", open_),
    ]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m load_tests", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each run")
    parser.add_argument("--users", type=int, default=4, help="callers of the closed loops")
    parser.add_argument("--load", type=float, default=0.7, help="open loop, share of capacity")
    parser.add_argument("--limits", type=Path, help="TOML file with limits by run")
    return parser.parse_args(arguments)


def broken(summaries: Sequence[Summary], limits: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Every broken limit; without a file, an error or an empty run is the only failure."""
    names = {summary.name for summary in summaries}
    found = [f"{name}: was not run" for name in limits if name not in names]
    for summary in summaries:
        found += violations(summary, NO_ERRORS | dict(limits.get(summary.name, {})))
    return found


def main(arguments: Sequence[str]) -> int:
    """Run everything; 0 only when the service answered and kept the limits."""
    options = parse(arguments)
    try:
        target = target_from()
        limits = read_limits(options.limits) if options.limits else {}
        require_ready(target)
        summaries = measure(target, options)
    except LoadTestError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(summaries))
    failures = broken(summaries, limits)
    for sentence in failures:
        print(sentence, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
