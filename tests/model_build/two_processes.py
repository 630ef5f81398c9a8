"""Two processes: run under torchrun by test_train; each writes the hash of its final weights."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from model_build import distributed
from model_build.train import Trainer
from tests.model_build.phantom_set import RECIPE, slice_set


def main(folder: Path) -> None:
    """Train the tiny recipe as one of the processes."""
    place = distributed.join()
    run = Trainer(RECIPE, slice_set(), np.arange(12), folder / "run", place, progress=False)
    network = run.run()
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        # Batch-norm statistics of stage 2 are each process's own on a CPU; only CUDA joins them.
        if "running" not in name and "num_batches" not in name:
            digest.update(value.numpy().tobytes())
    (folder / f"rank{place.rank}.txt").write_text(digest.hexdigest())
    distributed.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
