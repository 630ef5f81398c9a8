"""Examples: hits, misses and false alarms of one network, each with its ten windows.

scores -> `choose` -> slices worth a look -> voxels -> the windows of the network -> PNG data URI
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from model_build.report.run_folder import Run
from model_build.slice_set import SliceSet
from service.model.windows import SystematicWindows
from service.types import LABELS

PER_KIND = 4
TILE = 144  # pixels of one window on the page; ten of them in two rows of five
COLUMNS = 5
GREYS = 64  # levels kept: a smaller page, and no eye sees the difference at this size

HIT, MISS, FALSE_ALARM = "hit", "miss", "false alarm"
# Name of a slice -> its voxels int16 (512, 512) in HU and its own window (centre, width).
Voxels = Callable[[str], tuple[npt.NDArray[np.int16], tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Choice:
    """A slice to show: its row in the scores, what happened and for which label."""

    row: int
    kind: str
    label: str
    probability: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Example:
    """A slice as the page shows it; `image` is a data URI of its ten windows."""

    kind: str
    caption: str
    image: str


def choose(run: Run, per_kind: int = PER_KIND) -> tuple[Choice, ...]:
    """The plainest hits, the worst misses and the worst false alarms, patients apart.

    Subtypes take turns, so that one easy subtype does not fill the page; of a label the most
    confident call comes first, and of a miss or false alarm the one farthest from its threshold.
    """
    chosen: list[Choice] = []
    for kind in (HIT, MISS, FALSE_ALARM):
        queues = [list(_ranked(run, kind, index)) for index in range(len(LABELS) - 1)]
        taken: list[Choice] = []
        while any(queues) and len(taken) < per_kind:
            for queue in queues:
                fresh = _first_new(queue, run, [*chosen, *taken])
                if fresh is not None and len(taken) < per_kind:
                    taken.append(fresh)
        chosen += taken
    return tuple(chosen)


def draw(run: Run, choices: Iterable[Choice], voxels_of: Voxels) -> Iterator[Example]:
    """Each choice with its ten windows.

    Raises:
        KeyError: `voxels_of` knows no slice of that name.
    """
    for choice in choices:
        voxels, window = voxels_of(run.scores.names[choice.row])
        truth = [
            label
            for label, positive in zip(LABELS, run.scores.labels[choice.row], strict=True)
            if positive
        ]
        caption = (
            f"{choice.label}: p = {choice.probability:.3f}, threshold {choice.threshold:.3f}; "
            f"truth: {', '.join(truth) or 'no hemorrhage'}"
        )
        yield Example(choice.kind, caption, _png(windows_of(voxels, window)))


def slices_of(source: SliceSet) -> Voxels:
    """The slices of a decoded data set by the name of their file."""
    places = {name: row for row, name in enumerate(source.names)}

    def voxels_of(name: str) -> tuple[npt.NDArray[np.int16], tuple[float, float]]:
        row = places[name]
        center, width = source.windows[row]
        return source.voxels[row], (float(center), float(width))

    return voxels_of


def windows_of(
    voxels_hu: npt.NDArray[np.int16], window: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """The ten windows as the network sees them, in two rows of five tiles.

    Args:
        voxels_hu: int16 (H, W), H and W at least `TILE`.
        window: centre and width of the slice's own window, HU.

    Returns:
        uint8 (2 * TILE, 5 * TILE), 0 black to 255 white.
    """
    voxels = torch.from_numpy(np.array(voxels_hu))[None]  # a copy: the source may be read-only
    with torch.inference_mode():
        shown = SystematicWindows()(voxels, torch.tensor([window]))[0]  # (10, 1, H, W)
        tiles = torch.nn.functional.adaptive_avg_pool2d(shown, TILE)[:, 0].numpy()
    steps = (tiles * (GREYS - 1)).round() / (GREYS - 1)
    rows = [np.hstack(list(steps[i : i + COLUMNS])) for i in range(0, len(steps), COLUMNS)]
    mosaic: npt.NDArray[np.uint8] = (np.vstack(rows) * 255).round().astype(np.uint8)
    return mosaic


def _ranked(run: Run, kind: str, label: int) -> Iterator[Choice]:
    """Slices of this kind for one subtype, the plainest first."""
    scores, threshold = run.scores, run.manifest.thresholds[label]
    probability, truth = scores.probabilities[:, label], scores.labels[:, label] > 0
    called = probability >= threshold
    # A false alarm counts only where there is no hemorrhage at all: a mixed-up subtype is another
    # kind of error.
    clean = scores.labels.max(axis=1) == 0
    found = {HIT: called & truth, MISS: ~called & truth, FALSE_ALARM: called & clean}[kind]
    sign = 1 if kind == MISS else -1
    rows = np.flatnonzero(found)
    for row in rows[np.argsort(sign * probability[rows], kind="stable")]:
        yield Choice(int(row), kind, LABELS[label], float(probability[row]), threshold)


def _first_new(queue: list[Choice], run: Run, chosen: Iterable[Choice]) -> Choice | None:
    """Take from the queue up to the first slice of a patient that is not shown yet."""
    shown = {run.scores.patients[choice.row] for choice in chosen}
    while queue:
        choice = queue.pop(0)
        if run.scores.patients[choice.row] not in shown:
            return choice
    return None


def _png(grey: npt.NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
