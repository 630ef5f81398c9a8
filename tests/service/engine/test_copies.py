"""How often pixels are copied between decode and engine; the list is in docs/architecture.md."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from service.dicom.limits import Caps
from service.dicom.slot import Slot
from service.engine.choice import Choice
from service.engine.predictor import Predictor
from service.types import SLICE_SIZE, Decoded, DefaultWindow, HuSlice, Identity
from tests.service.engine.engines import FakeEngine, Logits
from tests.service.fakes import make_manifest

WINDOW = DefaultWindow(40.0, 80.0)


@dataclass(eq=False)
class Keeping(FakeEngine):
    """Keeps the arrays that it is given."""

    given: list[Any] = field(default_factory=list)

    def forward(self, voxels_hu: Any, windows: Any) -> Logits:
        """As its base."""
        self.given.append(voxels_hu)
        return super().forward(voxels_hu, windows)


@dataclass(eq=False)
class Lending(Keeping):
    """Has a buffer of its own, as an engine on a device has."""

    in_flight: int = 2
    buffer: Any = field(default_factory=lambda: np.empty((4, SLICE_SIZE, SLICE_SIZE), np.int16))

    @contextmanager
    def staging(self, count: int) -> Iterator[Any]:
        """The first places of the buffer."""
        yield self.buffer[:count]


def hu_slice(value: int) -> HuSlice:
    """A slice whose voxels are all that value."""
    return HuSlice(np.full((SLICE_SIZE, SLICE_SIZE), value, np.int16), WINDOW)


def predictor_with(engine: FakeEngine) -> Predictor:
    """A predictor on which that engine was chosen."""
    network: Any = torch.nn.Identity()
    made = Predictor(network, make_manifest(), torch.device("cpu"), max_batch=4)
    made._take(Choice(engine, "the test"))
    return made


def test_a_lone_slice_is_not_copied() -> None:
    """The engine sees the very memory that the decode pool handed over."""
    engine, only = Keeping(), hu_slice(3)
    logits = predictor_with(engine).forward([only])
    (given,) = engine.given
    assert given.shape == (1, SLICE_SIZE, SLICE_SIZE)
    assert np.shares_memory(given, only.voxels_hu)
    assert logits[0, 0] == np.float32(0.03)


def test_batches_share_one_buffer() -> None:
    """Each slice of a batch is copied once, into memory that is used again and again."""
    engine = Keeping()
    predictor = predictor_with(engine)
    for values in ([1, 2], [3, 4], [5, 6, 7]):
        logits = predictor.forward([hu_slice(value) for value in values])
        np.testing.assert_allclose(logits[:, 0], np.array(values) / 100)
    first, second, third = engine.given
    assert first.ctypes.data == second.ctypes.data
    assert len(third) == 3


@pytest.mark.parametrize("count", [1, 3])
def test_an_engine_with_a_buffer_is_given_it(count: int) -> None:
    """Pixels go straight into the engine's own, say pinned, memory: no other copy, not even one."""
    engine = Lending()
    predictor = predictor_with(engine)
    logits = predictor.forward([hu_slice(value) for value in range(1, count + 1)])
    assert engine.given[0].ctypes.data == engine.buffer.ctypes.data
    assert engine.given[0].shape == (count, SLICE_SIZE, SLICE_SIZE)
    np.testing.assert_allclose(logits[:, 0], np.arange(1, count + 1) / 100, rtol=1e-6)
    assert (predictor.in_flight, predictor_with(Keeping()).in_flight) == (2, 1)


def test_pixels_leave_the_slot_as_one_private_copy() -> None:
    """What the child writes later cannot change a slice that was taken; the array is contiguous."""
    most = Caps().max_bytes
    slot = Slot(Slot.create(most), most)
    written = slot.put_decoded(Decoded(Identity(), hu_slice(7)))
    taken = slot.take_decoded(written).slice_hu
    assert taken is not None
    slot.put_decoded(Decoded(Identity(), hu_slice(8)))
    assert taken.voxels_hu.flags.c_contiguous
    assert (taken.voxels_hu == 7).all()
    slot.close()
