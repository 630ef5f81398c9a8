"""Checkpoint: the whole state of a run in one file, written atomically."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

CHECKPOINT_FILE = "checkpoint.pt"


@dataclass(slots=True)
class Best:
    """The weights of the current stage that did best on val, and when."""

    loss: float
    step: int
    networks: dict[str, dict[str, Any]]


@dataclass(slots=True)
class State:
    """Where a run stands: stage, steps done in it, weights by network name, optimiser."""

    stage: str
    step: int = 0
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    optimizer: dict[str, Any] | None = None
    best: Best | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # spent per stage


def write(state: State, folder: Path) -> None:
    """Replace the checkpoint of a run; a kill leaves the old one or the new one, never half."""
    draft = folder / f"{CHECKPOINT_FILE}.partial"
    fields = {name: getattr(state, name) for name in State.__slots__}
    if state.best is not None:
        fields["best"] = {name: getattr(state.best, name) for name in Best.__slots__}
    torch.save(fields, draft)
    draft.replace(folder / CHECKPOINT_FILE)


def read(folder: Path) -> State | None:
    """The last checkpoint of a run, None when there is none. Tensors only: no code is loaded."""
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    fields = torch.load(path, map_location="cpu", weights_only=True)
    if fields["best"] is not None:
        fields["best"] = Best(**fields["best"])
    return State(**fields)
