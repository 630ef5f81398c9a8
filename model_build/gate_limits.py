"""Gate limits: how often the content check of the input gate would refuse a slice.

phantom series, folders of heads, folders of other things -> decode -> measures -> limits -> counts
heads -> `gate_families` -> how many of those are found

Written to docs/input-gate-measured.json, from which `make gate-docs` fills docs/input-gate.md.
Paths and names of files do not appear; a folder is known by its last name.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path

from model_build import gate_families
from model_build.adapters.workers import spread
from service.dicom.content import SKIPPED, WARNED, Measures, measure
from service.dicom.decode import decode_slice
from service.dicom.limits import Caps, Thresholds
from service.dicom.reader import read
from service.types import SLICE_SIZE

MEASURED = Path(__file__).parents[1] / "docs" / "input-gate-measured.json"
SEED = 20
_LENIENT = Caps(lenient_uids=True, thresholds=Thresholds(content="warn", contrast="warn"))
_CHUNK = 8


@dataclass(frozen=True, slots=True)
class _Seen:
    """One slice: its measures, and the verdict on each picture made of it."""

    measures: Measures
    families: dict[str, str]


@dataclass(frozen=True, slots=True)
class SetCounts:
    """The content check over one set of files.

    Attributes:
        name: of the set.
        heads: whether all its readable slices are slices of heads.
        read: files.
        before: files that the gate refuses before it looks at the picture.
        skipped: slices that would be `not_head_like`.
        warned: slices that would be `content_unusual`.
        limits: how many slices broke each limit, by its words.
        ranges: least and greatest of each measure over the slices that were looked at.
        families: by the name of a family made of its heads, how many were skipped, warned of
            and passed.
    """

    name: str
    heads: bool
    read: int
    before: int
    skipped: int
    warned: int
    limits: dict[str, int] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    families: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def line(self) -> str:
        """The counts as one line for a terminal."""
        looked = self.read - self.before
        counts = f"{self.skipped} skipped, {self.warned} warned of {looked}"
        return f"{self.name}: {counts} ({self.before} refused before)"


def measured(
    heads: Sequence[Path], others: Sequence[Path], series: int, workers: int
) -> list[SetCounts]:
    """Count over phantoms that are generated for it, and over folders.

    Raises:
        FileNotFoundError: a folder does not exist.
    """
    for folder in (*heads, *others):
        if not folder.is_dir():
            raise FileNotFoundError(f"no such folder: {folder}")
    found = [_phantoms(series, workers)] if series else []
    for kind, folders in ((True, heads), (False, others)):
        found += [_counts(folder.name, kind, _files(folder), workers) for folder in folders]
    return found


def write(sets: Sequence[SetCounts], path: Path) -> None:
    """Write counts, and the words of the limits that were in force."""
    facts = {
        "skipped": [limit.words for limit in SKIPPED],
        "warned": [limit.words for limit in WARNED],
        "sets": [asdict(item) for item in sets],
    }
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _phantoms(series: int, workers: int) -> SetCounts:
    from model_build.synthetic.generate import generate

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        generate(home, series, SEED, workers, progress=False)
        name = f"{series} phantom series (seed {SEED})"
        return _counts(name, True, sorted((home / "dicom").glob("*.dcm")), workers)


def _files(folder: Path) -> list[Path]:
    """The DICOM files (PS3.10 7.1) under a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and _has_prefix(path))


def _has_prefix(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _counts(name: str, heads: bool, files: Sequence[Path], workers: int) -> SetCounts:
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    look = partial(_look, families=tuple(gate_families.FAMILIES) if heads else ())
    seen = [item for part in spread(look, chunks, workers, 1) for item in part if item is not None]
    pictures = [item.measures for item in seen]
    skipped = [any(limit.broken(item) for limit in SKIPPED) for item in pictures]
    unusual = [any(limit.broken(item) for limit in WARNED) for item in pictures]
    broken = Counter(
        limit.words for item in pictures for limit in (*SKIPPED, *WARNED) if limit.broken(item)
    )
    return SetCounts(
        name=name,
        heads=heads,
        read=len(files),
        before=len(files) - len(pictures),
        skipped=sum(skipped),
        warned=sum(odd and not out for odd, out in zip(unusual, skipped, strict=True)),
        limits=dict(sorted(broken.items())),
        ranges=_ranges(pictures),
        families=_families(seen),
    )


def _families(seen: Sequence[_Seen]) -> dict[str, tuple[int, int, int]]:
    counts = Counter(item for each in seen for item in each.families.items())
    names = list(dict.fromkeys(name for each in seen for name in each.families))
    return {
        name: (counts[name, "skipped"], counts[name, "warned"], counts[name, "passed"])
        for name in names
    }


def _ranges(pictures: Sequence[Measures]) -> dict[str, tuple[float, float]]:
    found = {}
    for item in fields(Measures):
        values = [float(getattr(each, item.name)) for each in pictures]
        finite = [value for value in values if value == value]  # NaN: could not be measured
        if item.name != "sized" and finite:
            found[item.name] = (round(min(finite), 3), round(max(finite), 3))
    return found


def _look(files: Iterable[Path], families: Sequence[str]) -> list[_Seen | None]:
    return [_seen(path.read_bytes(), families) for path in files]


def _seen(body: bytes, families: Sequence[str]) -> _Seen | None:
    """What is seen of one file; None when the gate refuses it before the picture."""
    slice_hu = decode_slice(body, _LENIENT).slice_hu
    if slice_hu is None:
        return None
    header = read(body, _LENIENT).header
    spacing, rows = header.numbers("PixelSpacing"), header.word("Rows") or SLICE_SIZE
    scaled = None if spacing is None else tuple(mm * rows / SLICE_SIZE for mm in spacing)
    hu = slice_hu.voxels_hu
    made = {name: gate_families.FAMILIES[name](hu) for name in families}
    verdicts = {name: gate_families.verdict(other, scaled) for name, other in made.items()}
    return _Seen(measure(hu, scaled), verdicts)
