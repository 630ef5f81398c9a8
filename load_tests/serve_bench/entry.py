"""Entry: the service as `bentoml serve` starts it, with what only the benchmark may do.

bentoml serve load_tests.serve_bench.entry:IchService
  BENCH_ENGINE=real   the engine that the service would choose
  BENCH_ENGINE=noop   logits of 0, at once
  BENCH_ENGINE=stub   logits of 0, a full batch in BENCH_BATCH_MS

POST /bench/raw?seconds=1&batch=4   forwards back to back in this very process, no request
POST /bench/profile?seconds=5       the event loop under cProfile meanwhile, as text

The service itself has neither the routes nor the variables.
"""

from __future__ import annotations

import asyncio
import cProfile
import io
import os
import pstats
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from load_tests.payloads import payloads
from load_tests.serve_bench.standins import StandIn
from service.artifact import verify_folder
from service.dicom.decode import decode_slice
from service.service import IchService, app, settings
from service.types import HuSlice
from service.worker import Worker

__all__ = ["IchService"]

ENGINE = os.environ.get("BENCH_ENGINE", "real")
BATCH_S = float(os.environ.get("BENCH_BATCH_MS", "0")) / 1000
SHOWN = 45  # rows of a profile

_real_load = Worker._load_predictor
_loaded: list[Any] = []


def _load(self: Worker, folder: Path) -> Any:  # noqa: ANN401  (a predictor or a stand-in)
    """The predictor of this run, kept for the raw measurement."""
    if ENGINE == "real":
        predictor: Any = _real_load(self, folder)
    else:
        predictor = StandIn(verify_folder(folder), settings.max_batch, BATCH_S)
    _loaded.append(predictor)
    return predictor


Worker._load_predictor = _load  # type: ignore[method-assign]  # this process is the benchmark's


def _slices(count: int) -> list[HuSlice]:
    decoded = [decode_slice(body).slice_hu for body in payloads()[:count]]
    found = [item for item in decoded if item is not None]
    return [found[place % len(found)] for place in range(count)]


def _forwards(slices: list[HuSlice], seconds: float) -> list[float]:
    """Seconds of each forward, back to back."""
    predictor, times = _loaded[0], []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        predictor.forward(slices)
        times.append(time.perf_counter() - started)
    return times


async def raw(request: Request) -> Response:
    """Seconds of each forward of one batch size; nothing else may be asked meanwhile."""
    asked = request.query_params
    batch = int(asked.get("batch", 0)) or _loaded[0].max_batch
    slices = await asyncio.to_thread(_slices, batch)
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(_forwards, slices, float(asked["seconds"]))
        times = await asyncio.wrap_future(work)
    return JSONResponse({"batch": batch, "seconds": times})


async def profile(request: Request) -> Response:
    """What the event loop did in that time, dearest first; CPU time, so that waits do not count."""
    profiler = cProfile.Profile(time.thread_time)
    profiler.enable()
    await asyncio.sleep(float(request.query_params["seconds"]))
    profiler.disable()
    return PlainTextResponse(told(profiler))


def told(profiler: cProfile.Profile) -> str:
    """CPU seconds and calls by package, then the dearest functions.

    What a package has C code do counts as its own: to it belong the calls of built-in functions.
    """
    packages: dict[str, list[float]] = {}
    for entry in profiler.getstats():
        if isinstance(entry.code, str):
            continue
        spent = packages.setdefault(package_of(entry.code.co_filename), [0.0, 0])
        spent[0] += entry.inlinetime
        spent[1] += entry.callcount
        for called in entry.calls or ():
            if isinstance(called.code, str):
                spent[0] += called.inlinetime
                spent[1] += called.callcount
    rows = sorted(packages.items(), key=lambda row: -row[1][0])
    text = io.StringIO("".join(f"{s:9.4f} s {n:9.0f} calls  {name}\n" for name, (s, n) in rows))
    text.seek(0, io.SEEK_END)
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(SHOWN)
    return text.getvalue()


def package_of(filename: str) -> str:
    """`service.api` and its like for our own files, the top package for those of others."""
    parts = Path(filename).with_suffix("").parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    if "service" in parts:
        return ".".join(parts[parts.index("service") :][:3])
    return parts[-2] if len(parts) > 1 else filename


app.add_route("/bench/raw", raw, methods=["POST"])
app.add_route("/bench/profile", profile, methods=["POST"])
