"""Workers: a function over many tasks in processes, results in the order of the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_CHUNK = 64


def spread(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int, chunk: int = _CHUNK
) -> Iterator[Result]:
    """Results in order; one worker runs here, more are spawned (a fork may inherit locks)."""
    if workers <= 1 or len(tasks) <= chunk:
        yield from map(function, tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, tasks, chunksize=chunk)
