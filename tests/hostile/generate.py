"""Generate: the one table of hostile objects, and `python -m tests.hostile.generate FOLDER`.

The command writes every object as a file, so that `make corpus CORPUS=FOLDER` can send them all.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.hostile import borders, envelope, frames, pictures, structure
from tests.hostile.case import Case

CASES: tuple[Case, ...] = (
    *envelope.CASES,
    *structure.CASES,
    *pictures.CASES,
    *frames.CASES,
    *borders.CASES,
)


def write(folder: Path) -> dict[str, Case]:
    """Write one file per case, named after it; returns the cases by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for number, case in enumerate(CASES):
        words = "".join(letter if letter.isalnum() else "_" for letter in case.name)
        name = f"{number:03d}_{words}.dcm"
        (folder / name).write_bytes(case.build())
        written[name] = case
    return written


if __name__ == "__main__":
    sys.stdout.write(f"{len(write(Path(sys.argv[1])))} files written\n")
