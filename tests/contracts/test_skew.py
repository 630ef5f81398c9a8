"""Skew: what training sees of a file is, bit for bit, what the served network sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from model_build.cache import load
from model_build.dataset import Slices, View
from service.config import Settings
from service.dicom.limits import Caps
from service.dicom.pool import DecodePool
from service.engine.batcher import Batcher
from service.model.windows import SystematicWindows
from service.pipeline import Pipeline
from service.types import LABELS, HuSlice, ModelInfo, Upload
from tests.factories import BIG_ENDIAN, DEFLATED, IMPLICIT, RLE, head_hu, make_ct_slice
from tests.service.fakes import make_manifest

# Files whose Hounsfield values or windows take another way through the DICOM room.
VARIANTS: dict[str, dict[str, object]] = {
    "plain": {},
    "implicit": {"transfer_syntax": IMPLICIT},
    "big endian": {"transfer_syntax": BIG_ENDIAN},
    "deflated": {"transfer_syntax": DEFLATED},
    "rle": {"transfer_syntax": RLE},
    "slope": {"RescaleSlope": 2, "pixels": (head_hu(512, 5).astype(np.int32) + 1024) // 2},
    "two windows": {"WindowCenter": [35, 600], "WindowWidth": [90, 2800]},
    "no window": {"WindowWidth": 0},
    "256 matrix": {"pixels": head_hu(256).astype(np.int32) + 1024},
}


class Recorder:
    """A predictor that keeps what it was given."""

    max_batch = 4
    in_flight = 1

    def __init__(self) -> None:
        self.seen: list[HuSlice] = []

    def forward(self, slices: Sequence[HuSlice]) -> npt.NDArray[np.float32]:
        """Record the slices and answer nothing remarkable."""
        self.seen += slices
        return np.zeros((len(slices), len(LABELS)), dtype=np.float32)


@pytest.fixture(scope="module")
def bodies() -> list[bytes]:
    """One file per variant, each of its own noise."""
    return [
        make_ct_slice(seed=seed, **variant)  # type: ignore[arg-type]
        for seed, variant in enumerate(VARIANTS.values())
    ]


@pytest.fixture(scope="module")
def folder(bodies: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same files in the RSNA layout."""
    home = tmp_path_factory.mktemp("rsna")
    (home / "dicom").mkdir()
    rows = ["ID,Label"]
    for index, body in enumerate(bodies):
        (home / "dicom" / f"ID_{index:09x}.dcm").write_bytes(body)
        rows += [f"ID_{index:09x}_{label},0" for label in LABELS]
    (home / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return home


async def served(bodies: list[bytes]) -> list[HuSlice]:
    """What the engine receives for one request, through the real decode pool and batcher."""
    recorder, settings = Recorder(), Settings()
    batcher = Batcher(recorder, max_batch=4, max_wait_s=0.005, max_queue=64)
    pool = DecodePool(1, 20.0, 1024 * 1024 * 1024, Caps())
    await pool.start()
    batcher.start()
    try:
        pipeline = Pipeline(
            pool, batcher, make_manifest(), ModelInfo("name", "name:1", "1"), settings
        )
        deadline = asyncio.get_running_loop().time() + 60
        uploads = [Upload(body) for body in bodies]
        answer = await pipeline.classify(
            uploads, request_id="skew", deadline=deadline, transport="http"
        )
    finally:
        await batcher.stop(5)
        await pool.stop()
    assert [item.status for item in answer.slices] == ["classified"] * len(bodies)
    return recorder.seen


# Slices reach the engine in the order of their decoding: they are paired by their pixels.
async def test_training_tensor_equals_serving_tensor(
    bodies: list[bytes], folder: Path, tmp_path: Path
) -> None:
    """Voxels and default window are equal bit for bit, and so are the ten windows made of them."""
    source = load(folder, tmp_path, workers=1, progress=False)
    dataset = Slices(source, View())
    seen = {item.voxels_hu.tobytes(): item for item in await served(bodies)}
    assert len(source) == len(bodies) == len(seen)
    windows = SystematicWindows()
    for index, name in enumerate(VARIANTS):
        _, voxels, window = dataset[0, 0, index]
        assert voxels.dtype == torch.int16
        item = seen.get(voxels.numpy().tobytes())
        assert item is not None, name
        assert np.array_equal(window.numpy(), np.float32([item.window.center, item.window.width]))
        served_window = torch.tensor([[item.window.center, item.window.width]])
        trained = windows(voxels[None], window[None])
        assert torch.equal(trained, windows(torch.from_numpy(item.voxels_hu)[None], served_window))


def test_the_variants_differ_from_each_other(bodies: list[bytes]) -> None:
    """Nine different files: equality above is not that of one slice with itself."""
    assert len(set(bodies)) == len(VARIANTS)
