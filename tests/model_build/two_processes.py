"""Two processes: run under torchrun by test_train; each writes its final weights."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from model_build import distributed
from model_build.train import Trainer
from tests.model_build.phantom_set import RECIPE, parts, slice_set


def main(folder: Path) -> None:
    """Train the tiny recipe as one of the processes."""
    place = distributed.join()
    source = slice_set(masks=folder / f"masks{place.rank}")
    run = Trainer(RECIPE, source, parts(), folder / "run", place, progress=False)
    torch.save(run.run().state_dict(), folder / f"rank{place.rank}.pt")
    distributed.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
