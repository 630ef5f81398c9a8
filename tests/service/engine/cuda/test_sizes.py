"""Sizes: graphs for half batches, pieces in order, and a size that pays for its wait."""

from __future__ import annotations

import pytest

from service.engine.cuda.sizes import efficient_size, graph_sizes, padded, pieces


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [(1, (1,)), (2, (1,)), (3, (1,)), (4, (1, 2)), (16, (1, 2, 4, 8)), (31, (1, 2, 4, 8))],
)
def test_two_pieces_of_the_largest_size_fit_the_largest_batch(
    max_batch: int, sizes: tuple[int, ...]
) -> None:
    """1 and powers of two; with a largest batch of 1 there are no two pieces."""
    assert graph_sizes(max_batch) == sizes


def test_a_largest_batch_of_nothing_is_refused() -> None:
    """Zero slices have no graph."""
    with pytest.raises(ValueError, match="1 or more"):
        graph_sizes(0)


def test_pieces_cover_a_batch_once_and_in_order() -> None:
    """Seven slices in pieces of three are 3, 3 and 1; none are no piece."""
    assert list(pieces(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(pieces(3, 3)) == [slice(0, 3)]
    assert list(pieces(0, 3)) == []


def test_a_piece_runs_in_the_next_size() -> None:
    """Three slices need the graph of four, four need no more."""
    assert [padded(count, (1, 2, 4)) for count in (1, 2, 3, 4)] == [1, 2, 4, 4]


def test_a_size_must_be_worth_its_wait() -> None:
    """4 gains 2 % over 2 and is not taken; 8 is then not even measured."""
    measured: list[int] = []

    def ms_per_slice(size: int) -> float:
        measured.append(size)
        return {1: 1.0, 2: 0.5, 4: 0.49, 8: 0.1}[size]

    assert efficient_size((1, 2, 4, 8), ms_per_slice) == 2
    assert measured == [1, 2, 4]
    assert efficient_size((1, 2), ms_per_slice) == 2
