"""Reader target: coverage-guided fuzzing of the reader and the gate in one process, by atheris.

    python -m tests.fuzz.reader_target SEEDS -max_total_time=60     (options are libFuzzer's)

bytes -> read -> [frames of a multi-frame object] -> check, identity, window, scale
      -> nothing is raised, every code is a known one

Only the code of `service` is instrumented. Exceptions that the decode process would turn into
`decoder_failed` end the run here.
"""

from __future__ import annotations

import os
import sys

import atheris

from tests.fuzz.planted import PLANT

with atheris.instrument_imports(include=["service"]):
    from service.dicom.enhanced import Frames
    from service.dicom.gate import CODES, check
    from service.dicom.hounsfield import Scale
    from service.dicom.limits import Caps
    from service.dicom.reader import Parsed, read
    from service.dicom.scan import ScanFault
    from service.dicom.window_tags import default_window

CAPS = Caps(max_inflated_bytes=1 << 20)
_planted = os.environ.get(PLANT) == "raise"


class PlantedFault(Exception):
    """Raised on purpose for one kind of mutant: a fuzzer that does not find it finds nothing."""


def judge(data: bytes) -> None:
    """Read and judge one input; whatever is raised is a finding."""
    parsed = read(data, CAPS)
    _check(parsed)
    if parsed.multi_frame and not parsed.faults:
        _check_frames(parsed)
    # No seed is damaged at all; a mutant has to be damaged, but not in front of the rows.
    if _planted and parsed.faults and parsed.header.has("Rows"):
        raise PlantedFault


def _check(parsed: Parsed) -> None:
    """Every rule, and what `decode` takes from a header, whatever the gate says of it."""
    _known({item.code for item in (*parsed.faults, *check(parsed, CAPS))})
    parsed.header.identity()
    default_window(parsed.header)
    Scale.of(parsed.header)


def _check_frames(parsed: Parsed) -> None:
    """The first and the last frame; an object that cannot be taken apart says why by a code."""
    try:
        frames = Frames.of(parsed, CAPS)
        for index in {0, len(frames) - 1}:
            _check(frames.frame(index))
    except ScanFault as fault:
        _known({fault.violation.code})


def _known(codes: set[str]) -> None:
    if not codes <= CODES:
        raise AssertionError("a code that is not in the table")


def main() -> None:
    """Run until libFuzzer's own limit; it exits with an error at the first finding."""
    atheris.Setup(sys.argv, judge)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
