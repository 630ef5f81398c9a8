"""gRPC load: Classify calls with one slice each, open-loop by a Poisson clock or closed-loop.

open:    schedule (exponential gaps) ─> a task per call, whether or not earlier ones are back
closed:  n callers, each sends the next call when its last one has answered

Open-loop latency counts from the scheduled send time: a stall of the service then shows up in
every request that it delayed, which a closed loop hides by sending nothing meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import cycle

import grpc

from load_tests.summary import Sample, summarise
from load_tests.target import Target
from service.rpc import ich_pb2, ich_pb2_grpc

CALL_TIMEOUT_S = 30.0
Call = Callable[[], Awaitable[bool]]  # one request; whether it was answered as it should be


def schedule(rate: float, seconds: float, seed: int = 0) -> Iterator[float]:
    """Send times of a Poisson process in seconds from its start: `rate` per second on average."""
    rng = random.Random(seed)
    at = rng.expovariate(rate)
    while at < seconds:
        yield at
        at += rng.expovariate(rate)


async def open_loop(call: Call, times: Sequence[float]) -> list[Sample]:
    """Send one call at each time; latency counts from that time, not from the real sending."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def one(at: float) -> Sample:
        ok = await call()
        done = loop.time() - start
        return Sample(done - at, ok, done)

    tasks = []
    for at in times:
        await asyncio.sleep(max(start + at - loop.time(), 0))
        tasks.append(asyncio.create_task(one(at)))
    return list(await asyncio.gather(*tasks))


async def closed_loop(call: Call, callers: int, seconds: float) -> list[Sample]:
    """Keep `callers` calls in flight for `seconds`."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    samples: list[Sample] = []

    async def caller() -> None:
        while (sent := loop.time()) < start + seconds:
            ok = await call()
            samples.append(Sample(loop.time() - sent, ok, loop.time() - start))

    await asyncio.gather(*(caller() for _ in range(callers)))
    return samples


def classify_call(channel: grpc.aio.Channel, slices: Sequence[bytes]) -> Call:
    """A call that sends the slices in turn and demands a verdict with a probability."""
    stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
    turn = cycle(slices)

    async def call() -> bool:
        request = ich_pb2.ClassifyRequest(slices=[next(turn)])
        try:
            answer = await stub.Classify(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
        return len(answer.slices) == 1 and answer.slices[0].HasField("probabilities")

    return call


async def run(
    target: Target, slices: Sequence[bytes], callers: int, seconds: float, load: float
) -> tuple[list[Sample], list[Sample], float]:
    """A closed loop to find the capacity, then an open loop at a share of it.

    Returns:
        Samples of the closed loop, samples of the open loop, and the rate of the latter in
        requests per second (0 when the closed loop had no answer and so no open loop was run).
    """
    async with grpc.aio.insecure_channel(target.address) as channel:
        call = classify_call(channel, slices)
        closed = await closed_loop(call, callers, seconds)
        capacity = summarise("", closed).metrics["throughput"]
        if capacity is None:
            return closed, [], 0.0
        rate = load * capacity
        return closed, await open_loop(call, list(schedule(rate, seconds))), rate
