"""Apart: a function that runs in a process of its own, because some settings are process-wide.

The allocator of default torch cannot be had back once `keep_freed_pages` was called.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
_made: list[Callable[..., Any]] = []  # in the child: the function that it was started for


class Apart(Generic[T]):
    """Calls what `make(*settings)` returns, in one process that is started for it.

    Args:
        make: a function of a module; it runs in the process, and may set it up.
        settings: its arguments; they are pickled, as are arguments and answers of each call.
    """

    def __init__(self, make: Callable[..., Callable[..., T]], *settings: object) -> None:
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _begin, (make, settings)
        )

    def __call__(self, *arguments: object) -> T:
        """Call it there and wait; raises what it raises."""
        found: T = self._pool.submit(_call, arguments).result()
        return found

    def __enter__(self) -> Self:
        """Itself; the process starts with the first call."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self._pool.shutdown()


def _begin(make: Callable[..., Callable[..., Any]], settings: tuple[object, ...]) -> None:
    _made[:] = [make(*settings)]


def _call(arguments: tuple[object, ...]) -> object:
    return _made[0](*arguments)
