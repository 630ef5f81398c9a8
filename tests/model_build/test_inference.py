"""Inference abreast: the order of batches stays, errors come through, threads are given back."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor

from model_build.inference import abreast


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> int:
    """A number of threads, put back as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_batches(threads: int) -> None:
    """Also when the first batch takes longest; nothing records a gradient."""
    weight = torch.ones(1, requires_grad=True)

    def forward(batch: int) -> Tensor:
        time.sleep(0.02 if batch == 0 else 0.0)
        return weight * batch

    found = list(abreast(forward, iter(range(7))))
    assert torch.cat(found).tolist() == list(range(7))
    assert not any(value.requires_grad for value in found)
    assert torch.get_num_threads() == threads


def test_an_error_of_a_batch_reaches_the_caller(threads: int) -> None:
    """And the threads are as before."""

    def forward(batch: int) -> Tensor:
        if batch == 2:
            raise RuntimeError("of batch two")
        return torch.zeros(1)

    with pytest.raises(RuntimeError, match="of batch two"):
        list(abreast(forward, iter(range(5))))
    assert torch.get_num_threads() == threads


def test_batches_are_read_only_as_fast_as_they_are_needed(threads: int) -> None:
    """Thousands of slices would not fit the memory."""
    read: list[int] = []

    def batches() -> object:
        for batch in range(50):
            read.append(batch)
            yield torch.zeros(1)

    results = abreast(lambda batch: batch, batches())
    next(results)
    assert len(read) <= threads + 1
    results.close()
