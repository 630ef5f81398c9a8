"""Curves: training curves, as lines of losses.jsonl and as TensorBoard event files.

training loop -> `Curves` -> losses.jsonl  {"stage", "step", "loss", "seconds"} and, from
                                           validation, {"stage", "step", "val_loss", ...}
                          -> tensorboard/  <stage>/loss, <stage>/val_loss
losses.jsonl -> `read` -> the points that the report draws
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE, EVENTS = "losses.jsonl", "tensorboard"
ABSENT = "TensorBoard is not installed: training curves go to losses.jsonl only"


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity of one stage: the steps at which it was noted, ascending, and its values."""

    stage: str
    name: str  # "loss", "val_loss", ...
    steps: tuple[int, ...]
    values: tuple[float, ...]


class Curves:
    """Where a training run notes its losses; made by the first process only, closed at its end."""

    def __init__(self, folder: Path) -> None:
        """Open the files of a run folder; a resumed run appends to both.

        Without TensorBoard one line on the standard error says so, and losses.jsonl is all.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._began = folder / FILE, time.monotonic()
        self._writer = _event_writer(folder / EVENTS)

    def loss(self, stage: str, step: int, value: float, seconds: float | None = None) -> None:
        """Note the training loss after `step` steps; seconds default to its own clock."""
        spent = time.monotonic() - self._began if seconds is None else seconds
        self._note(stage, step, {"loss": value}, {"seconds": round(spent, 1)})

    def validation(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Note figures of the validation split; `loss` becomes `val_loss`, and so on."""
        self._note(stage, step, {f"val_{name}": value for name, value in values.items()}, {})

    def close(self) -> None:
        """Write what TensorBoard still holds back."""
        if self._writer is not None:
            self._writer.close()

    def _note(
        self, stage: str, step: int, values: Mapping[str, float], more: Mapping[str, float]
    ) -> None:
        row = {"stage": stage, "step": step, **values, **more}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        for name, value in values.items():
            if self._writer is not None:
                self._writer.add_scalar(f"{stage}/{name}", value, step)


def read(folder: Path) -> tuple[Curve, ...]:
    """The curves of a run folder, in the order in which they began.

    A run that was resumed may have noted a step twice; the later value holds.

    Raises:
        FileNotFoundError: the run has noted nothing.
        ValueError: a line is not such a row; the message names its number.
    """
    points: dict[tuple[str, str], dict[int, float]] = {}
    lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            stage, step = str(row.pop("stage")), int(row.pop("step"))
            row.pop("seconds", None)
            for name, value in row.items():
                points.setdefault((stage, name), {})[step] = float(value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"line {number} of {FILE} is not a row of training curves") from error
    return tuple(
        Curve(stage, name, tuple(sorted(found)), tuple(found[step] for step in sorted(found)))
        for (stage, name), found in points.items()
    )


def _event_writer(folder: Path) -> Any:  # noqa: ANN401
    """A SummaryWriter, or None with one plain line where TensorBoard is absent."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print(ABSENT, file=sys.stderr)
        return None
    return SummaryWriter(log_dir=str(folder))
