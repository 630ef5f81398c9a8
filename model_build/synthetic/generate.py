"""Generate: a whole set of phantom series in the layout of the RSNA 2019 data.

set seed ─> requests ─> worker processes ─> dicom/ID_*.dcm, masks/ID_*.png, parts/
         ─> labels.csv, truth.csv
"""

from __future__ import annotations

import csv
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model_build.synthetic.plan import Mode
from model_build.synthetic.series import SeriesRequest, truth_columns, write_series
from service.types import LABELS

# Twenty training series: seven heads that bleed at two exams, five of them without, another head.
_CYCLE, _BLEEDING, _EXAMS, _TWINS = 20, 14, 2, 5
_NATURAL_BLEEDING = 0.40
_REVISION = 10  # part of the name of a finished series; raise it when the recipe changes


@dataclass(frozen=True, slots=True)
class DataSummary:
    """What a call of `generate` left on disk.

    Attributes:
        series: Series in the set.
        slices: Slices in the set.
        written: Series written by this call; the others were complete already.
        positives: Positive slices per label, LABELS order.
        subvisible: Slices with blood below the label rule.
        seconds: Wall time.
    """

    series: int
    slices: int
    written: int
    positives: tuple[int, ...]
    subvisible: int
    seconds: float

    def lines(self) -> list[str]:
        """The summary as text for a terminal."""
        share = [100.0 * count / max(1, self.slices) for count in self.positives]
        table = [f"  {name:<17} {p:5.1f} %" for name, p in zip(LABELS, share, strict=True)]
        pace = self.slices * self.written / max(1, self.series) / max(self.seconds, 1e-9)
        head = f"{self.series} series, {self.slices} slices, {self.written} series written"
        return [f"{head}, {pace:.1f} slices/s", *table, f"  subvisible {self.subvisible} slices"]


def plan_requests(
    series: int, seed: int, mode: Mode, slices: int | None = None
) -> list[SeriesRequest]:
    """The series of a set. Request k does not depend on how many series follow it."""
    return [_request(index, seed, mode, slices) for index in range(series)]


def generate(
    folder: Path,
    series: int,
    seed: int,
    workers: int = 1,
    progress: bool = True,
    mode: Mode = "training",
    slices: int | None = None,
) -> DataSummary:
    """Generate a set, or finish one that was interrupted.

    Args:
        folder: Receives dicom/, masks/, parts/, labels.csv and truth.csv.
        series: Number of series.
        seed: Seed of the set; the files depend on it and on nothing else.
        workers: Processes; 1 runs in this one.
        progress: Show a progress bar.
        mode: "training" (balanced, with twins) or "natural" (prevalence of spec section 7).
        slices: Slices per series for tests; None for whole heads.

    Returns:
        Counts of the finished set.
    """
    started = time.monotonic()
    for name in ("dicom", "masks", "parts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    requests = plan_requests(series, seed, mode, slices)
    missing = [request for request in requests if not _part(folder, request).exists()]
    steps = _run(folder, missing, workers)
    for _ in tqdm(steps, total=len(missing), unit="series", disable=not progress):
        pass
    rows = [row for request in requests for row in _read_part(_part(folder, request))]
    _write_csv(folder / "truth.csv", [[*truth_columns(), "twin"], *_with_twins(rows)])
    _write_csv(folder / "labels.csv", _label_rows(rows))
    return _summary(rows, series, len(missing), time.monotonic() - started)


def describe(folder: Path) -> tuple[Mode, int | None]:
    """Mode and slices per series (None for whole heads) of the set in a folder.

    Raises:
        FileNotFoundError: no series of the present recipe is in the folder.
    """
    for path in (folder / "parts").glob(f"*-r{_REVISION}-*.csv"):
        mode, _, _, size, _ = path.stem.split("-")
        found: Mode = "natural" if mode == "natural" else "training"
        return found, int(size) or None
    raise FileNotFoundError("there is no phantom series of the present recipe in the folder")


def _request(index: int, seed: int, mode: Mode, slices: int | None) -> SeriesRequest:
    cycle, slot = divmod(index, _CYCLE)
    patient, exam = slot, 0
    if mode == "training":
        bleeding = slot < _BLEEDING
        if bleeding:
            exam, patient = divmod(slot, _BLEEDING // _EXAMS)
        elif slot < _BLEEDING + _TWINS:
            patient = slot - _BLEEDING
    else:
        luck = np.random.default_rng(np.random.SeedSequence([seed, index, 40])).random()
        bleeding = bool(luck < _NATURAL_BLEEDING)
    state = np.random.SeedSequence([seed, cycle * _CYCLE + patient]).generate_state(1, np.uint64)
    return SeriesRequest(index, seed, int(state[0]), bleeding, mode, slices, exam)


def _part(folder: Path, request: SeriesRequest) -> Path:
    """Truth of one finished series; its presence says that all its files are written."""
    size = request.slices or 0
    name = f"{request.mode}-r{_REVISION}-{request.set_seed}-{size}-{request.index:06d}.csv"
    return folder / "parts" / name


def _run(folder: Path, requests: list[SeriesRequest], workers: int) -> Iterator[None]:
    """Write series, those of one person by one worker and in turn: they share their head."""
    people: dict[int, list[SeriesRequest]] = {}
    for request in requests:
        people.setdefault(request.patient_seed, []).append(request)
    if workers <= 1:
        for exams in people.values():
            for request in exams:
                _one(folder, request)
                yield
        return
    # spawn: a forked child would inherit locks of whatever threads the caller runs.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [pool.submit(_all, folder, exams) for exams in people.values()]
        for job in as_completed(jobs):
            yield from (None for _ in range(job.result()))


def _all(folder: Path, requests: list[SeriesRequest]) -> int:
    for request in requests:
        _one(folder, request)
    return len(requests)


def _one(folder: Path, request: SeriesRequest) -> None:
    rows = write_series(folder, request)
    # Renaming is atomic, so a part that exists is whole.
    part = _part(folder, request)
    unfinished = part.with_suffix(".tmp")
    _write_csv(unfinished, rows)
    unfinished.replace(part)


def _write_csv(path: Path, rows: Iterable[list[str]]) -> None:
    with path.open("w", newline="", encoding="ascii") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _read_part(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="ascii") as file:
        return list(csv.reader(file))


def _with_twins(rows: list[list[str]]) -> Iterator[list[str]]:
    """Append the id of the same plane of the same head with the other bleeding state, or nothing.

    Found in the finished set, because a set may end before the twin of one of its series.
    """
    columns = truth_columns()
    # A later exam of a person has another scanner and is not a twin of the first.
    same = [columns.index(name) for name in ("phantom_seed", "slice", "noise_hu", "kvp", "kernel")]
    lesions = columns.index("lesions")
    at = {(*(row[k] for k in same), row[lesions]): row[0] for row in rows}
    for row in rows:
        other = "0" if row[lesions] == "1" else "1"
        yield [*row, at.get((*(row[k] for k in same), other), "")]


def _label_rows(rows: list[list[str]]) -> Iterator[list[str]]:
    """Six rows a slice, as in stage_2_train.csv: ID_<slice>_<label>,<0 or 1>."""
    first = truth_columns().index(LABELS[0])
    yield ["ID", "Label"]
    for row in rows:
        for name, value in zip(LABELS, row[first : first + len(LABELS)], strict=True):
            yield [f"{row[0]}_{name}", value]


def _summary(rows: list[list[str]], series: int, written: int, seconds: float) -> DataSummary:
    columns = truth_columns()
    first, hidden = columns.index(LABELS[0]), columns.index("subvisible")
    positives = tuple(sum(int(row[first + k]) for row in rows) for k in range(len(LABELS)))
    subvisible = sum(int(row[hidden]) for row in rows)
    return DataSummary(series, len(rows), written, positives, subvisible, seconds)
