"""Cache: decode a labelled data set once, in parallel, into a memory map that opens lazily.

cache/<content>-<decoder>/   voxels.int16 (raw, N x 512 x 512), index.json, masks/
cache/files-*.json           hashes of unchanged files, so that they are not read again

The key is what the files hold and the code that decodes them. Labels are not in it: they are
joined when the cache is opened. A new decoder replaces the cache of the old one.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from model_build.adapters.content import decoder_version, file_hashes
from model_build.adapters.reading import MASKS, VOXELS, Row, close_gaps, decode
from model_build.adapters.records import Item, Listing, SliceSource
from model_build.adapters.rsna import RsnaSource
from model_build.slice_set import SliceSet
from service.types import LABELS, SLICE_SIZE


def load(
    folder: Path,
    cache: Path,
    workers: int,
    *,
    source: SliceSource | None = None,
    progress: bool = True,
) -> SliceSet:
    """Decode a data set, or reopen what an earlier call decoded.

    Args:
        folder: in the RSNA layout; unused when `source` names another data set.
        cache: holds the decoded sets; about 0.5 MB a slice.
        workers: processes that read and decode.
        source: data set of `adapters.catalog.open_source`.
        progress: show a bar, and the speed in slices/s.

    Raises:
        ValueError: the labels contradict themselves, or no slice could be decoded.
        FileNotFoundError: labels or files are missing.
    """
    source = source or RsnaSource(folder)
    listing = source.listing()
    started = time.monotonic()
    home = cache / _key(source, listing.items, cache, workers)
    if not (home / "index.json").exists():
        _build(source, listing.items, home, workers, progress)
    found = _open(source, listing, home)
    if progress:
        seconds = time.monotonic() - started
        print(f"{len(found)} slices ready in {seconds:.1f} s: {len(found) / seconds:.0f} slices/s")
    return found


def reading_speed(source: SliceSet, slices: int = 256, seed: int = 0) -> float:
    """Slices per second when read in random order, as an epoch does; one process."""
    places = np.random.default_rng(seed).integers(0, len(source), slices)
    started = time.monotonic()
    for place in places:
        np.array(source.voxels[place])
    return slices / max(time.monotonic() - started, 1e-9)


def _key(source: SliceSource, items: Sequence[Item], cache: Path, workers: int) -> str:
    """`<content>-<decoder>`: names and bytes of the files, options, and the decoding code."""
    place = hashlib.sha256(str(source.root.resolve()).encode()).hexdigest()[:12]
    paths = [item.path for item in items]
    masks = [item.mask for item in items if item.mask is not None]
    hashes = file_hashes([*paths, *masks], cache / f"files-{place}.json", workers)
    digest = hashlib.sha256(source.variant.encode())
    for item, content in zip(items, hashes, strict=False):
        digest.update(f"{item.name}:{item.place}:{content};".encode())
    digest.update("".join(hashes[len(paths) :]).encode())
    return f"{digest.hexdigest()[:16]}-{decoder_version()}"


def _build(
    source: SliceSource, items: Sequence[Item], home: Path, workers: int, progress: bool
) -> None:
    """Decode into a temporary folder and rename it: a killed build leaves no half cache."""
    draft = home.with_name(f"{home.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    rows: list[Row] = []
    with tqdm(total=len(items), desc="decode", unit="slice", disable=not progress) as bar:
        for part in decode(source, items, draft, workers):
            rows += part
            bar.update(len(part))
    kept = close_gaps(rows, draft / VOXELS)
    refused = Counter(row.refused for row in rows if row.refused)
    text = json.dumps({"kept": kept, "refused": refused}, allow_nan=False)
    (draft / "index.json").write_text(text, encoding="utf-8")
    for old in home.parent.glob(f"{home.name.split('-')[0]}-*"):
        if old != draft:
            shutil.rmtree(old)
    draft.rename(home)


def _open(source: SliceSource, listing: Listing, home: Path) -> SliceSet:
    index = json.loads((home / "index.json").read_text(encoding="utf-8"))
    rows = [Row(*row) for row in index["kept"]]
    if not rows:
        raise ValueError(f"no slice could be decoded; refused: {index['refused']}")
    items = [listing.items[row.item] for row in rows]
    fixes = Counter(code for row in rows for code in row.corrections)
    masks = source.masks or (home / MASKS if any((home / MASKS).iterdir()) else None)
    nothing = (0,) * len(LABELS)
    return SliceSet(
        voxels=_map(home / VOXELS, len(rows)),
        windows=np.array([row.window for row in rows], np.float32),
        labels=np.array([item.labels or nothing for item in items], np.uint8),
        patients=tuple(row.patient for row in rows),
        usable=np.array([item.usable and item.labels is not None for item in items], np.bool_),
        refused=index["refused"],
        names=tuple(item.name for item in items),
        series=tuple(row.series for row in rows),
        order=np.array([math.nan if row.order is None else row.order for row in rows], np.float32),
        masks=None if masks is None else str(masks),
        source=source.facts.name,
        facts=source.facts,
        groups=tuple(item.group for item in items),
        pixel_hashes=tuple(row.pixel_hash for row in rows),
        corrections=dict(fixes + Counter(listing.corrections)),
    )


def _map(path: Path, count: int) -> npt.NDArray[np.int16]:
    """The raw file as int16 (count, 512, 512), read-only; pages are read when touched.

    Raises:
        ValueError: the file is shorter than its index says.
    """
    return np.memmap(path, np.dtype("<i2"), mode="r", shape=(count, SLICE_SIZE, SLICE_SIZE))
