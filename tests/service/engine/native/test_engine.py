"""NativeEngine: torch's probabilities, equal windows once, and absent with a reason."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from load_tests.engines import PRETRAINED, load_network
from service.artifact import GOLDEN_FILE
from service.engine.native import engine as module
from service.engine.native.engine import (
    NativeEngine,
    NativeUnavailable,
    different_windows,
    efficient_batch,
    native_engines,
)
from service.engine.native.library import Variant, variants
from service.engine.torch_engine import TorchEngine
from service.model.conv_lstm import ConvLstm
from service.model.registry import NETWORKS
from tests.service.engine.native.networks import (
    ALL_VARIANTS,
    WINDOWS,
    nasty_network,
    needs_library,
    on_each_variant,
    slices,
)


@pytest.fixture(scope="module")
def network() -> ConvLstm:
    """Batch norms of every sign."""
    return nasty_network(6)


@pytest.fixture(scope="module")
def native(network: ConvLstm) -> Iterator[NativeEngine]:
    """The fastest float32 engine with two threads."""
    engines = native_engines(network, 2)
    yield next(each for each in engines if each.precision == "fp32")
    for each in engines:
        each.close()


@on_each_variant("fp32")
def test_probabilities_are_those_of_torch(variant: Variant, network: ConvLstm) -> None:
    """Within 1e-5 on heads, specks, noise and air, with odd default windows; none is NaN."""
    expected = TorchEngine(network, torch.device("cpu"), 4).forward(slices(), WINDOWS)
    found = NativeEngine(network, variant, 2).forward(slices(), WINDOWS)
    assert (found.dtype, found.shape) == (np.float32, (5, 6))
    p, reference = (1 / (1 + np.exp(-logits.astype(np.float64))) for logits in (found, expected))
    assert np.isfinite(found).all()
    assert np.abs(p - reference).max() < 1e-5
    assert np.abs(found[0] - found[3]).max() > 1e-4


@on_each_variant("fp32")
def test_the_shipped_weights_keep_their_golden_logits(variant: Variant) -> None:
    """Within a quarter of what the manifest allows to float32, on the slices of the build."""
    shipped, manifest = load_network(PRETRAINED)
    golden = load_file(PRETRAINED / GOLDEN_FILE)
    found = NativeEngine(shipped, variant, 2).forward(
        golden["voxels_hu"].numpy(), golden["windows"].numpy()
    )
    difference = np.abs(found - golden["logits"].numpy()).max()
    assert difference < manifest.golden_tolerance["float32"] / 4


@needs_library
def test_the_fastest_two_of_each_precision_are_offered(
    monkeypatch: pytest.MonkeyPatch, network: ConvLstm
) -> None:
    """In their order: where the first disagrees with torch, the second may answer."""
    here = [each for each in variants() if each.precision == "fp32"]
    monkeypatch.setattr(module, "variants", lambda: (*here, *here, *here))
    offered = native_engines(network, 1)
    assert [each.facts()["variant"] for each in offered] == [
        each.name for each in (*here, *here)[:2]
    ]
    for each in offered:
        each.close()


@needs_library
def test_a_slice_has_its_answer_in_any_batch(native: NativeEngine) -> None:
    """Alone and with others, to the rounding of the dense layers."""
    together = native.forward(slices()[:3], WINDOWS[:3])
    for at in range(3):
        alone = native.forward(slices()[at : at + 1], WINDOWS[at : at + 1])
        np.testing.assert_allclose(alone[0], together[at], atol=1e-6)


@needs_library
def test_the_facts_name_the_instruction_set(native: NativeEngine) -> None:
    """What GET /v1/model shows of it."""
    facts = native.facts()
    assert (facts["device"], facts["threads"]) == ("cpu", 2)
    assert facts["variant"] in ALL_VARIANTS


@needs_library
def test_a_network_that_the_kernel_is_not_for_is_absent() -> None:
    """Another network, another size, or weights that could overflow: each with its reason."""
    with pytest.raises(NativeUnavailable, match="conv_lstm"):
        native_engines(NETWORKS["bhcnet"](), 1)
    with pytest.raises(NativeUnavailable, match="512"):
        native_engines(ConvLstm(256), 1)
    broken = nasty_network(7)
    broken.trunk.units[0][0].bias[0] = float("inf")
    with pytest.raises(NativeUnavailable, match="finite"):
        native_engines(broken, 1)


def test_without_a_library_the_engine_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a compiler."""
    monkeypatch.setattr(module, "library", lambda: None)
    with pytest.raises(NativeUnavailable, match="not built"):
        native_engines(ConvLstm(256), 1)


def test_without_avx2_the_engine_is_absent(
    monkeypatch: pytest.MonkeyPatch, network: ConvLstm
) -> None:
    """As on an old processor."""
    monkeypatch.setattr(module, "library", object)
    monkeypatch.setattr(module, "variants", tuple)
    with pytest.raises(NativeUnavailable, match="AVX2"):
        native_engines(network, 1)


def test_equal_windows_of_a_slice_run_once() -> None:
    """Three windows each: the first slice's last is its first; the second slice runs its own."""
    lower = np.array([[0, -15, 0], [0, 0, -15]], np.float32)
    width = np.array([[80, 130, 80], [80, 90, 130]], np.float32)
    jobs, place = different_windows(lower, width)
    assert jobs.slices.tolist() == [0, 0, 1, 1, 1]
    assert jobs.lower.tolist() == [0, -15, 0, 0, -15]
    assert jobs.width.tolist() == [80, 130, 80, 90, 130]
    assert place.tolist() == [[0, 1, 0], [2, 3, 4]]
    assert (jobs.slices.dtype, jobs.lower.dtype, jobs.width.dtype) == (
        np.int32,
        np.float32,
        np.float32,
    )


@pytest.mark.parametrize(("threads", "count"), [(1, 1), (2, 2), (3, 2), (4, 4), (8, 7), (16, 8)])
def test_a_batch_keeps_the_threads_busy(threads: int, count: int) -> None:
    """Two threads: 9 windows of a slice take 5 rounds of 2 (90 %), 18 of two slices take 9."""
    assert efficient_batch(10, threads) == count
