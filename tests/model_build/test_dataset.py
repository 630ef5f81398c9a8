"""Dataset and cache: epochs, batches shared by processes, refused slices, a killed build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from model_build.cache import load
from model_build.dataset import Epochs, Slices, StepSampler, in_order, loader
from service.dicom.patient import patient_key
from service.types import LABELS
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


def test_processes_share_each_batch() -> None:
    """Two processes together see the batch of one, and never the same slice."""
    whole = keys(StepSampler(epochs(None), 4, range(3), (5,)))
    parts = [keys(StepSampler(epochs(None), 4, range(3), (5,), (rank, 2))) for rank in (0, 1)]
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == [sorted(w) for w in whole]
    assert not set(parts[0][0]) & set(parts[1][0])


def test_a_step_repeats_its_augmentation_and_no_other_does() -> None:
    """The same key gives the same tensor; the next step another one."""
    slices = Slices(slice_set(4), seed=(1, 2))
    assert torch.equal(slices[3, 0, 1][1], slices[3, 0, 1][1])
    assert not torch.equal(slices[3, 0, 1][1], slices[4, 0, 1][1])


def test_inference_batches_are_in_order_and_unchanged() -> None:
    """Every index once, int16 voxels as stored."""
    source = slice_set(5)
    batches = list(loader(source, in_order(np.arange(5), 2), None, 0))
    assert [index.tolist() for index, _, _ in batches] == [[0, 1], [2, 3], [4]]
    assert torch.equal(batches[1][1], torch.from_numpy(source.voxels[2:4]))


def write_set(home: Path, bodies: list[bytes]) -> None:
    """The bodies in the RSNA layout, all negative."""
    (home / "dicom").mkdir(parents=True)
    rows = ["ID,Label"]
    for index, body in enumerate(bodies):
        (home / "dicom" / f"ID_{index:09x}.dcm").write_bytes(body)
        rows += [f"ID_{index:09x}_{label},0" for label in LABELS]
    (home / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_slices_that_the_gate_refuses_are_left_out_and_counted(tmp_path: Path) -> None:
    """A localizer between two slices: two remain, with their own pixels and patients."""
    bodies = [
        make_ct_slice(seed=0, PatientID="A"),
        make_ct_slice(seed=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        make_ct_slice(seed=2, PatientID="B"),
    ]
    write_set(tmp_path / "set", bodies)
    source = load(tmp_path / "set", tmp_path / "cache", workers=1, progress=False)
    assert len(source) == 2
    assert source.refused == {"image_type": 1}
    assert source.patients == (patient_key(bodies[0]), patient_key(bodies[2]))
    assert not np.array_equal(source.voxels[0], source.voxels[1])


def test_the_cache_is_reused_until_a_file_changes(tmp_path: Path) -> None:
    """The second call decodes nothing; a changed file makes another cache."""
    write_set(tmp_path / "set", [make_ct_slice(seed=0)])
    for _ in range(2):
        load(tmp_path / "set", tmp_path / "cache", workers=1, progress=False)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    (tmp_path / "set" / "dicom" / f"ID_{0:09x}.dcm").write_bytes(make_ct_slice(seed=1))
    load(tmp_path / "set", tmp_path / "cache", workers=1, progress=False)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_patient_key_groups_without_naming() -> None:
    """Equal for one patient, different for two, and the identifier is not in it."""
    one, two = (make_ct_slice(seed=seed, PatientID="SECRET7") for seed in (0, 1))
    other = make_ct_slice(seed=0, PatientID="SECRET8")
    assert patient_key(one) == patient_key(two) != patient_key(other)
    assert "SECRET" not in patient_key(one)
