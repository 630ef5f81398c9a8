"""Reading: the slices of a source decoded in processes into one raw file, without gaps.

items ─ chunks ─> processes: source.read ─> voxels.int16 (each slice at its place), masks/, Rows
                                        └─> a refused slice's place is filled with the last one
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model_build.adapters.pictures import write_mask
from model_build.adapters.records import Item, Record, SliceSource
from model_build.adapters.workers import spread
from service.types import SLICE_SIZE

VOXELS, MASKS = "voxels.int16", "masks"
SLICE_BYTES = SLICE_SIZE * SLICE_SIZE * 2
CHUNK = 32  # slices a task

Task = tuple[int, Sequence[Item]]  # place of the first, items


class Row(NamedTuple):
    """What is kept of one record beside its voxels; `item` is its place in the listing."""

    item: int
    patient: str
    series: str
    order: float | None
    window: tuple[float, float]
    refused: str
    corrections: tuple[str, ...]
    pixel_hash: str


def read_items(source: SliceSource, items: Sequence[Item]) -> Iterator[Record]:
    """Records of items in their order; neighbours in one file are read together."""
    for _, group in groupby(items, key=lambda item: item.path):
        yield from source.read(list(group))


def pixel_hash(voxels: npt.NDArray[np.int16]) -> str:
    """Hash of a slice's voxels, empty for a constant one: blank slices link no patients."""
    if voxels.min() == voxels.max():
        return ""
    return hashlib.blake2b(voxels.astype("<i2").tobytes(), digest_size=12).hexdigest()


def decode(
    source: SliceSource, items: Sequence[Item], home: Path, workers: int
) -> Iterator[list[Row]]:
    """Decode every item to its place in `home`; yields the rows chunk by chunk."""
    (home / VOXELS).touch()
    (home / MASKS).mkdir()
    tasks = [(start, items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]
    yield from spread(partial(_decode_chunk, source, home), tasks, workers, chunk=1)


def _decode_chunk(source: SliceSource, home: Path, task: Task) -> list[Row]:
    rows = []
    with (home / VOXELS).open("r+b") as stream:
        for place, record in enumerate(read_items(source, task[1]), task[0]):
            if record.voxels is not None:
                stream.seek(place * SLICE_BYTES)
                stream.write(record.voxels.astype("<i2").tobytes())
            if record.mask is not None and record.mask.any():
                write_mask(home / MASKS / f"{record.item.name}.png", record.mask)
            rows.append(_row(place, record))
    return rows


def _row(place: int, record: Record) -> Row:
    return Row(
        item=place,
        patient=record.patient_key,
        series=record.series_key,
        order=record.order if np.isfinite(record.order) else None,
        window=record.window,
        refused=record.refused,
        corrections=record.corrections,
        pixel_hash="" if record.voxels is None else pixel_hash(record.voxels),
    )


def close_gaps(rows: Sequence[Row], voxels: Path) -> list[Row]:
    """The kept rows in the order of the raw file, after its gaps were filled from its end.

    Moving only as many slices as were refused spares rewriting tens of gigabytes.
    """
    kept = [row for row in rows if not row.refused]
    count = len(kept)
    gaps = [row.item for row in rows[:count] if row.refused]
    movers = [row for row in kept if row.item >= count]
    order = {row.item: row for row in kept if row.item < count}
    with voxels.open("r+b") as stream:
        for gap, row in zip(gaps, movers, strict=True):
            stream.seek(row.item * SLICE_BYTES)
            body = stream.read(SLICE_BYTES)
            stream.seek(gap * SLICE_BYTES)
            stream.write(body)
            order[gap] = row
    os.truncate(voxels, count * SLICE_BYTES)
    return [order[place] for place in range(count)]
