"""Queue model: what the best possible server would answer to the same arrivals.

One engine, one line, no overhead: whenever it is free it takes what has arrived, up to a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def simulate(
    arrivals_s: Sequence[float], seconds_of: Callable[[int], float], max_batch: int
) -> list[float]:
    """Latency of each request in s, in the order of their arrival.

    Args:
        arrivals_s: ascending, s.
        seconds_of: how long a batch of that many slices takes, s.
        max_batch: most slices in a batch.
    """
    latencies: list[float] = []
    free_at, at = 0.0, 0
    while at < len(arrivals_s):
        start = max(free_at, arrivals_s[at])
        end = at + 1
        while end < min(at + max_batch, len(arrivals_s)) and arrivals_s[end] <= start:
            end += 1
        free_at = start + seconds_of(end - at)
        latencies += [free_at - arrived for arrived in arrivals_s[at:end]]
        at = end
    return latencies


def between(lone_s: float, full_s: float, max_batch: int) -> Callable[[int], float]:
    """Seconds of a batch by its size: a straight line from a lone slice to a full batch."""
    step_s = (full_s - lone_s) / max(max_batch - 1, 1)
    return lambda size: lone_s + step_s * (size - 1)
