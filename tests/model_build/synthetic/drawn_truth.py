"""Drawn truth: the truth of a set in memory, every field at the caller's hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model_build.synthetic.truth import Truth


def drawn_truth(series: int = 4, slices: int = 3, **change: object) -> Truth:
    """`series` bleeding series of `slices` slices without a label; fields as in `change`."""
    count = series * slices
    number = np.arange(count) // slices
    truth = Truth(
        names=tuple(f"ID_{k:09x}" for k in range(count)),
        patients=tuple(f"{k:016x}" for k in number),
        series=tuple(str(k) for k in number),
        planes=np.arange(count) % slices,
        twins=("",) * count,
        labels=np.zeros((count, 6), np.uint8),
        subvisible=np.zeros(count, np.bool_),
        bleeding=np.ones(count, np.bool_),
        volumes_ml=np.zeros((count, 5)),
        area_mm2=np.zeros((count, 5)),
        mean_hu=np.full((count, 5), np.nan),
        cnr=np.zeros((count, 5)),
        noise_hu=np.full(count, 4.0),
        voxel_ml=np.full(count, 0.001),
    )
    return replace(truth, **change)  # type: ignore[arg-type]
