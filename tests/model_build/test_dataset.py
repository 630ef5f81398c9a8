"""Dataset: epochs, batches shared by processes, augmentation that repeats, patient keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from model_build.dataset import Epochs, Slices, StepSampler, View, ahead, in_order, loader
from service.dicom.patient import patient_key
from tests.factories import make_ct_slice
from tests.model_build.phantom_set import slice_set


def epochs(negatives_per_positive: float | None) -> Epochs:
    """Ten slices 100..109, of which the first three are positive."""
    return Epochs(np.arange(100, 110), np.arange(10) < 3, negatives_per_positive)


def keys(sampler: StepSampler) -> list[list[int]]:
    """Slice indices per step."""
    return [[index for _, _, index in batch] for batch in sampler]


def test_an_epoch_holds_all_positives_and_as_many_negatives_as_asked() -> None:
    """Three positives at a ratio of one: three of seven negatives, others in the next epoch."""
    some = epochs(1.0)
    first, second = some.order((1, 0)), some.order((1, 1))
    assert len(some) == len(first) == 6
    assert {100, 101, 102} <= set(first) & set(second)
    assert set(first) != set(second)
    assert len(epochs(None)) == len(epochs(99.0)) == 10


def test_steps_are_the_same_wherever_a_run_begins() -> None:
    """Steps 4 to 8 of a run that begins there are those of the run that began at 0."""
    whole = keys(StepSampler(epochs(None), 2, range(8), (5,)))
    assert keys(StepSampler(epochs(None), 2, range(4, 8), (5,))) == whole[4:]
    assert sorted(index for batch in whole[:5] for index in batch) == list(range(100, 110))


def test_processes_share_the_micro_batches_of_a_step() -> None:
    """Two processes take two micro batches each of the four that one process takes."""
    alone = keys(StepSampler(epochs(None), 4, range(2), (5,), parts=4))
    shared = [keys(StepSampler(epochs(None), 4, range(2), (5,), 4, (rank, 2))) for rank in (0, 1)]
    assert len(alone) == 8
    assert [shared[0][0], shared[1][0], shared[0][1], shared[1][1]] == alone[:4]
    whole = keys(StepSampler(epochs(None), 4, range(2), (5,)))
    assert sorted(index for part in alone[:4] for index in part) == sorted(whole[0])


def test_a_step_repeats_its_augmentation_and_no_other_does() -> None:
    """The same key gives the same tensor; the next step another one."""
    slices = Slices(slice_set(4), View(seed=(1, 2)))
    assert torch.equal(slices[3, 0, 1][1], slices[3, 0, 1][1])
    assert not torch.equal(slices[3, 0, 1][1], slices[4, 0, 1][1])


def test_inference_batches_are_in_order_and_unchanged() -> None:
    """Every index once, int16 voxels as stored."""
    source = slice_set(5)
    batches = list(loader(source, in_order(np.arange(5), 2), View(), 0))
    assert [index.tolist() for index, _, _ in batches] == [[0, 1], [2, 3], [4]]
    assert torch.equal(batches[1][1], torch.from_numpy(source.voxels[2:4]))


def test_masks_come_moved_as_their_slices(tmp_path: Path) -> None:
    """Where the bright patch went, its coverage went; a slice without a lesion has none."""
    slices = Slices(slice_set(4, masks=tmp_path), View(seed=(1, 2), masked=True))
    _, voxels, _, coverage = slices[0, 0, 2]
    bright = F.avg_pool2d((voxels > 47).float()[None], 8)[0]
    assert coverage.shape == (6, 32, 32)
    assert 15 < float(coverage[1].sum()) < 40
    assert torch.equal(coverage[1], coverage[5])
    assert float(coverage[0].sum()) == 0
    assert float(bright[coverage[1] > 0.9].mean()) > 5 * float(bright[coverage[1] == 0].mean())
    assert float(slices[0, 0, 1][3].sum()) == 0


def test_a_set_without_masks_says_so() -> None:
    """Coverage of a slice whose lesions nobody outlined is NaN, not empty."""
    coverage = Slices(slice_set(2), View(masked=True))[0, 0, 0][3]
    assert bool(torch.isnan(coverage).all())


def test_context_is_the_slice_between_its_neighbours() -> None:
    """The ends of a series repeat themselves; another series is never looked into."""
    source = slice_set(8)
    slices = Slices(source, View(context=True))
    assert torch.equal(slices[0, 0, 5][1], torch.from_numpy(source.voxels[[4, 5, 6]]))
    assert torch.equal(slices[0, 0, 4][1], torch.from_numpy(source.voxels[[4, 4, 5]]))
    assert torch.equal(slices[0, 0, 3][1], torch.from_numpy(source.voxels[[2, 3, 3]]))


def test_the_patient_key_groups_without_naming() -> None:
    """Equal for one patient, different for two, and the identifier is not in it."""
    one, two = (make_ct_slice(seed=seed, PatientID="SECRET7") for seed in (0, 1))
    other = make_ct_slice(seed=0, PatientID="SECRET8")
    assert patient_key(one) == patient_key(two) != patient_key(other)
    assert "SECRET" not in patient_key(one)


def test_batches_prepared_ahead_keep_their_order_and_number() -> None:
    """No batch is lost, doubled or prepared long before its turn."""
    read: list[int] = []

    def batches() -> Iterator[int]:
        for value in range(9):
            read.append(value)
            yield value

    prepared = ahead(batches(), depth=2)
    assert next(prepared) == 0
    assert len(read) <= 4
    assert [0, *prepared] == list(range(9))
    assert list(ahead(iter([]), depth=2)) == []


def test_an_error_of_a_prepared_batch_reaches_the_training() -> None:
    """It comes with its own batch, behind the ones before it."""

    def batches() -> Iterator[int]:
        yield 1
        raise ValueError("a mask has another size")

    prepared = ahead(batches())
    assert next(prepared) == 1
    with pytest.raises(ValueError, match="another size"):
        next(prepared)
