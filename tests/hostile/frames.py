"""Frames: hostile multi-frame objects: their number, what describes them, where they lie."""

from __future__ import annotations

from functools import partial

from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from tests.enhanced_ct import Change, make_enhanced
from tests.hostile.case import Case

_HUGE = 2147483647


def with_frames(count: int, frames: int = 2) -> bytes:
    """An object of some frames that says it has another number."""

    def change(made: Dataset) -> None:
        made.NumberOfFrames = count

    return make_enhanced(frames, change=change)


def changed(change: Change, *, transfer_syntax: str | None = None) -> bytes:
    """An object of two frames with a change."""
    chosen = {} if transfer_syntax is None else {"transfer_syntax": transfer_syntax}
    return make_enhanced(2, change=change, **chosen)


def _no_groups(made: Dataset) -> None:
    del made.PerFrameFunctionalGroupsSequence


def _two_shared(made: Dataset) -> None:
    made.SharedFunctionalGroupsSequence = list(made.SharedFunctionalGroupsSequence) * 2


def _short(made: Dataset) -> None:
    made["PixelData"].value = made.PixelData[:-2]


def _huge_matrix(made: Dataset) -> None:
    made.Rows = made.Columns = 65535


def _lying_table(made: Dataset) -> None:
    made.ExtendedOffsetTable = (0).to_bytes(8, "little") + b"\xff" * 8
    made.ExtendedOffsetTableLengths = bytes(16)


# fmt: off
CASES: tuple[Case, ...] = (
    Case("enhanced object of two frames", partial(make_enhanced, 2), 200),
    Case("enhanced object with open sequences", partial(make_enhanced, 2, undefined_length=True),
         200),
    Case("enhanced object of 2,147,483,647 frames", partial(with_frames, _HUGE), 413,
         "frame_limit"),
    Case("enhanced object of -1 frames", partial(with_frames, -1), 422, "functional_groups"),
    Case("enhanced object of one frame less", partial(with_frames, 1), 422, "functional_groups"),
    Case("enhanced object of one frame more", partial(with_frames, 3), 422, "functional_groups"),
    Case("enhanced object without groups", partial(changed, _no_groups), 422,
         "functional_groups"),
    Case("enhanced object with two shared groups", partial(changed, _two_shared), 422,
         "functional_groups"),
    Case("enhanced object with short pixels", partial(changed, _short), 422, "pixel_length"),
    Case("enhanced object of huge frames", partial(changed, _huge_matrix), 422, "pixel_length"),
    Case("enhanced object with a lying offset table",
         partial(changed, _lying_table, transfer_syntax=str(RLELossless)), 400, "frame_offsets"),
)
# fmt: on
