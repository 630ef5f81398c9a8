"""Corpus run: `python -m load_tests.corpus FOLDER`; what `make corpus CORPUS=FOLDER` calls.

The table is written to `verdicts.csv` and `summary.txt` below --out. Exit code: 0 when every file
got its verdict in time, 1 on a 5xx, a death, a slow or costly verdict, 2 when nothing was run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from load_tests.corpus.run import files_below, run
from load_tests.corpus.started import service
from load_tests.corpus.verdicts import complaints, summary, write_csv
from load_tests.target import LoadTestError

OUT = Path(__file__).parents[2] / ".state" / "corpus"


def _folder(text: str) -> Path:
    """An empty name would be the working folder: `make corpus` without CORPUS."""
    if not text:
        raise argparse.ArgumentTypeError("set CORPUS to a folder with files")
    return Path(text)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.corpus", description=__doc__)
    parser.add_argument("folder", type=_folder, help="every file below it is sent")
    parser.add_argument("--out", type=Path, default=OUT, help="where the table is written")
    parser.add_argument("--target", default=os.environ.get("TARGET", ""), help="running service")
    parser.add_argument("--classified", default="", help="pattern of files that must be classified")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Send everything, write the table, and say what was wrong."""
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        files_below(options.folder)
        with service(options.target, options.out / "service.log") as (target, family):
            verdicts = list(run(options.folder, target, family))
    except LoadTestError as error:
        print(error, file=sys.stderr)
        return 2
    write_csv(verdicts, options.out / "verdicts.csv")
    (options.out / "summary.txt").write_text(summary(verdicts), encoding="utf-8")
    print(summary(verdicts))
    found = complaints(verdicts, options.classified)
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
