"""Sizes: which batch sizes are captured as CUDA graphs, and how a batch is cut into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

WORTH = 0.95  # of the time per slice: a size that is not this much better only makes slices wait


def graph_sizes(max_batch: int) -> tuple[int, ...]:
    """1 and the powers of two up to half of the largest batch, so that its halves can overlap.

    Raises:
        ValueError: the largest batch is below 1.
    """
    if max_batch < 1:
        raise ValueError("the largest batch must be 1 or more")
    sizes = [1]
    while sizes[-1] * 4 <= max_batch:
        sizes.append(sizes[-1] * 2)
    return tuple(sizes)


def pieces(count: int, largest: int) -> Iterator[slice]:
    """Cut a batch of `count` slices into pieces of at most `largest`, in order."""
    for start in range(0, count, largest):
        yield slice(start, min(start + largest, count))


def padded(count: int, sizes: Sequence[int]) -> int:
    """The smallest captured size that holds `count` slices; `sizes` rise and reach it."""
    return next(size for size in sizes if size >= count)


def efficient_size(sizes: Sequence[int], ms_per_slice: Callable[[int], float]) -> int:
    """The smallest of the rising `sizes` behind which a slice gets no cheaper, by measuring them.

    A size is measured only while the one before it was worth it.
    """
    best, best_ms = sizes[0], ms_per_slice(sizes[0])
    for size in sizes[1:]:
        found = ms_per_slice(size)
        if found > WORTH * best_ms:
            break
        best, best_ms = size, found
    return best
