"""Serve bench: `make bench-serve`; served over raw, on the real engine and without one.

temporary home with the committed model ─> for each engine: start, measure, stop ─> tables, JSON
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from load_tests.results import Value, machine
from load_tests.serve_bench.launched import launched, prepare
from load_tests.serve_bench.report import kept, text
from load_tests.serve_bench.rounds import Plan, Result, bench
from load_tests.target import LoadTestError

ENGINES = ("real", "noop", "stub")
SHORT = Plan(seconds=1.0, rounds=1, callers=(1, 8), open_seconds=5.0, idle_seconds=2.0)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options of the command line."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m load_tests.serve_bench")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["real", "noop"])
    parser.add_argument("--stub-ms", type=float, default=7.0, help="of a batch of the stub engine")
    parser.add_argument("--seconds", type=float, default=plan.seconds, help="length of each run")
    parser.add_argument("--rounds", type=int, default=plan.rounds)
    parser.add_argument("--callers", type=int, nargs="+", default=list(plan.callers))
    parser.add_argument("--open-seconds", type=float, default=plan.open_seconds)
    parser.add_argument("--idle-seconds", type=float, default=plan.idle_seconds)
    parser.add_argument("--max-queue", type=int, default=plan.max_queue, help="ICH_MAX_QUEUE")
    parser.add_argument("--profile", type=float, default=0.0, help="of the event loop, seconds")
    parser.add_argument("--short", action="store_true", help="a minute, to see that it works")
    parser.add_argument("--json", type=Path, help="write the results to this file as well")
    return parser.parse_args(arguments)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the options ask for."""
    if options.short:
        return replace(SHORT, profile_seconds=options.profile)
    return Plan(
        options.seconds,
        options.rounds,
        tuple(options.callers),
        options.open_seconds,
        options.idle_seconds,
        options.max_queue,
        options.profile,
    )


def settings_of(plan: Plan, stub_ms: float) -> dict[str, Value]:
    """What a reader must ask for to measure the same."""
    return {
        "seconds of a run": plan.seconds,
        "rounds": plan.rounds,
        "seconds of the open loop": plan.open_seconds,
        "seconds idle": plan.idle_seconds,
        "queue": plan.max_queue,
        "stub, ms a batch": stub_ms,
    }


def measured(home: Path, engine: str, plan: Plan, stub_ms: float) -> Result:
    """Start the service with one engine, measure it, stop it."""
    settings = {"BENCH_BATCH_MS": str(stub_ms if engine == "stub" else 0.0)}
    settings["ICH_MAX_QUEUE"] = str(plan.max_queue)
    with launched(home, engine, **settings) as service:
        return uvloop.run(bench(service, engine, plan))


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 0 when every request was answered as it should be."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the service must not outlive us
    plan, about, results = plan_of(options), machine(), []
    print("# Serve bench\n\n" + "\n".join(f"- {name}: {value}" for name, value in about.items()))
    try:
        with TemporaryDirectory(prefix="ich-serve-bench-") as folder:
            prepare(Path(folder))
            for engine in options.engines:
                results.append(measured(Path(folder), engine, plan, options.stub_ms))
                print(f"\n{text(results[-1])}", flush=True)
    except LoadTestError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json is not None:
        kept(results, about, settings_of(plan, options.stub_ms)).write(options.json)
    return 1 if any(row.failures for result in results for row in result.rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
