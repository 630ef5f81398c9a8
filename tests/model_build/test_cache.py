"""Cache: keyed by content and decoder, compact when slices are refused, lazy when opened."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from model_build import cache
from model_build.adapters import reading
from model_build.adapters.rsna import RsnaSource
from service.dicom.patient import patient_key
from service.types import LABELS
from tests.factories import head_hu, make_ct_slice

LOCALIZER = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}


def write_set(home: Path, bodies: list[bytes], subdural: int = 0) -> Path:
    """The bodies in the RSNA layout, the first with this label."""
    (home / "dicom").mkdir(parents=True, exist_ok=True)
    rows = ["ID,Label"]
    for index, body in enumerate(bodies):
        (home / "dicom" / f"ID_{index:09x}.dcm").write_bytes(body)
        on = ("subdural", "any") if subdural and not index else ()
        rows += [f"ID_{index:09x}_{label},{int(label in on)}" for label in LABELS]
    (home / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return home


def homes(folder: Path) -> list[str]:
    """Decoded sets in a cache."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_refused_slices_are_left_out_without_a_copy(tmp_path: Path) -> None:
    """A localizer between two slices: two remain with their own pixels, and the file is short."""
    bodies = [
        make_ct_slice(seed=0, PatientID="A"),
        make_ct_slice(seed=1, **LOCALIZER),
        make_ct_slice(seed=2, PatientID="B"),
    ]
    home = write_set(tmp_path / "set", bodies)
    source = cache.load(home, tmp_path / "cache", workers=1, progress=False)
    assert source.refused == {"image_type": 1}
    assert source.patients == (patient_key(bodies[0]), patient_key(bodies[2]))
    assert source.names == ("ID_000000000", "ID_000000002")
    assert source.order.tolist() == [0.0, 10.0]
    np.testing.assert_array_equal(source.voxels[0], head_hu(512, 0))
    np.testing.assert_array_equal(source.voxels[1], head_hu(512, 2))
    assert isinstance(source.voxels, np.memmap)
    assert not source.voxels.flags.writeable
    (file,) = (tmp_path / "cache").glob("*/voxels.int16")
    assert file.stat().st_size == 2 * 512 * 512 * 2


def test_processes_decode_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes and several chunks give what one gives, with refused slices in between."""
    monkeypatch.setattr(reading, "CHUNK", 2)
    bodies = [make_ct_slice(seed=seed, **(LOCALIZER if seed == 1 else {})) for seed in range(5)]
    home = write_set(tmp_path / "set", bodies)
    one, two = (
        cache.load(home, tmp_path / f"cache{workers}", workers, progress=False)
        for workers in (1, 2)
    )
    # The last slice took the place of the refused one.
    assert one.order.tolist() == [0.0, 20.0, 10.0, 15.0]
    assert one.names == two.names
    assert one.pixel_hashes == two.pixel_hashes
    np.testing.assert_array_equal(one.voxels, two.voxels)


def test_the_key_is_content_and_not_time_or_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A touched and moved folder opens the same cache and decodes nothing."""
    home = write_set(tmp_path / "set", [make_ct_slice(seed=0)])
    cache.load(home, tmp_path / "cache", 1, progress=False)
    moved = tmp_path / "moved"
    shutil.copytree(home, moved)
    os.utime(moved / "dicom" / "ID_000000000.dcm", (1, 1))
    monkeypatch.setattr(cache, "_build", None)
    assert len(cache.load(moved, tmp_path / "cache", 1, progress=False)) == 1


def test_a_changed_file_is_decoded_anew(tmp_path: Path) -> None:
    """Other bytes, other key; the first set stays."""
    home = write_set(tmp_path / "set", [make_ct_slice(seed=0)])
    cache.load(home, tmp_path / "cache", 1, progress=False)
    write_set(home, [make_ct_slice(seed=1)])
    source = cache.load(home, tmp_path / "cache", 1, progress=False)
    np.testing.assert_array_equal(source.voxels[0], head_hu(512, 1))
    assert len(homes(tmp_path / "cache")) == 2


def test_a_new_decoder_replaces_the_cache_of_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old voxels are never reopened and do not fill the disk."""
    home = write_set(tmp_path / "set", [make_ct_slice(seed=0)])
    cache.load(home, tmp_path / "cache", 1, progress=False)
    (old,) = homes(tmp_path / "cache")
    monkeypatch.setattr(cache, "decoder_version", lambda: "newer000")
    cache.load(home, tmp_path / "cache", 1, progress=False)
    assert homes(tmp_path / "cache") == [f"{old.split('-')[0]}-newer000"]


def test_corrected_labels_need_no_new_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels are joined when the cache is opened."""
    home = write_set(tmp_path / "set", [make_ct_slice(seed=0)])
    cache.load(home, tmp_path / "cache", 1, progress=False)
    write_set(home, [make_ct_slice(seed=0)], subdural=1)
    monkeypatch.setattr(cache, "_build", None)
    source = cache.load(home, tmp_path / "cache", 1, progress=False)
    assert source.labels.tolist() == [[0, 0, 0, 0, 1, 1]]


def test_options_of_a_source_are_part_of_the_key(tmp_path: Path) -> None:
    """The paper's set without resampled slices is another one; corrections are counted."""
    small = make_ct_slice(pixels=head_hu(256).astype(np.int32) + 1024)
    home = write_set(tmp_path / "set", [make_ct_slice(seed=0), small])
    every = cache.load(home, tmp_path / "cache", 1, progress=False)
    source = RsnaSource(home, only_512=True)
    paper = cache.load(home, tmp_path / "cache", 1, source=source, progress=False)
    assert (len(every), len(paper)) == (2, 1)
    assert every.corrections == {"matrix_resampled": 1}
    assert paper.refused == {"matrix_not_512": 1}
    assert (every.source, every.facts.licence) == ("rsna", "RSNA 2019 challenge, non-commercial")


def test_a_set_of_which_nothing_can_be_decoded_is_an_error(tmp_path: Path) -> None:
    """And says which rule refused it."""
    home = write_set(tmp_path / "set", [make_ct_slice(**LOCALIZER)])
    with pytest.raises(ValueError, match="image_type"):
        cache.load(home, tmp_path / "cache", 1, progress=False)


def test_a_truncated_cache_is_an_error_and_not_noise(tmp_path: Path) -> None:
    """Voxels shorter than the index says."""
    home = write_set(tmp_path / "set", [make_ct_slice(seed=0)])
    cache.load(home, tmp_path / "cache", 1, progress=False)
    (file,) = (tmp_path / "cache").glob("*/voxels.int16")
    os.truncate(file, 1000)
    with pytest.raises(ValueError, match="greater than file size"):
        cache.load(home, tmp_path / "cache", 1, progress=False)


def test_a_killed_build_leaves_nothing_that_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call decodes again, over the draft."""
    home = write_set(tmp_path / "set", [make_ct_slice(seed=0)])
    with monkeypatch.context() as patch:
        patch.setattr(cache, "close_gaps", None)
        with pytest.raises(TypeError):
            cache.load(home, tmp_path / "cache", 1, progress=False)
    assert len(cache.load(home, tmp_path / "cache", 1, progress=False)) == 1
    assert not any(name.endswith(".partial") for name in homes(tmp_path / "cache"))


def test_the_speed_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In slices per second, when loading and when reading."""
    home = write_set(tmp_path / "set", [make_ct_slice(seed=0)])
    source = cache.load(home, tmp_path / "cache", 1)
    assert "slices/s" in capsys.readouterr().out
    assert cache.reading_speed(source, slices=4) > 0
