"""The compiled kernel: torch's maps on every instruction set, and skipping that changes no bit."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from service.engine.native.folding import fold
from service.engine.native.library import Jobs, Kernel, Variant, open_library, spin, variants
from service.model.conv_lstm import ConvLstm
from tests.service.engine.native.networks import (
    ALL_VARIANTS,
    WINDOWS,
    air,
    all_jobs,
    head,
    nasty_network,
    needs_library,
    noise,
    on_each_variant,
    slices,
    specks,
)

pytestmark = needs_library
each_variant = on_each_variant("fp32", "bf16")
# Of maps whose largest value is about 4; bf16 has 8 bits of mantissa.
TOLERANCE = {"fp32": 3e-5, "bf16": 0.1}


@pytest.fixture(scope="module")
def network() -> ConvLstm:
    """Batch norms of every sign."""
    return nasty_network()


@pytest.fixture(scope="module")
def expected(network: ConvLstm) -> npt.NDArray[np.float32]:
    """Torch's maps of every window of every slice: (50, 800)."""
    with torch.inference_mode():
        maps = network.maps(torch.from_numpy(slices()), torch.from_numpy(WINDOWS))
    return maps.flatten(0, 1).numpy()


@each_variant
def test_every_window_gives_the_maps_of_torch(
    variant: Variant, network: ConvLstm, expected: npt.NDArray[np.float32]
) -> None:
    """Heads, specks, noise and air under fixed, odd and empty windows, with and without skip."""
    kernel = Kernel(variant, fold(network.trunk), 1)
    jobs = all_jobs(network, len(WINDOWS))
    skipped = kernel.run(slices(), jobs)
    full = kernel.run(slices(), jobs, skip_air=False)
    np.testing.assert_array_equal(skipped, full)
    again = kernel.run(slices(), jobs)  # after a run that has computed every pixel
    np.testing.assert_array_equal(again, full)
    assert np.abs(full - expected).max() < TOLERANCE[variant.precision]
    assert np.abs(expected).max() > 1


@each_variant
def test_what_ran_before_leaves_no_trace(variant: Variant, network: ConvLstm) -> None:
    """Air that a slot kept from another slice or window is the air of this one."""
    blob = fold(network.trunk)
    kernel = Kernel(variant, blob, 1)
    jobs = replace(all_jobs(network, 1), slices=np.zeros(10, np.int32))
    for picture in (head(200, 200, 5), air(), specks(6), head(330, 400, 7), noise(8), specks(9)):
        found = kernel.run(picture[None], jobs)
        fresh = Kernel(variant, blob, 1).run(picture[None], jobs, skip_air=False)
        np.testing.assert_array_equal(found, fresh)


@each_variant
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_and_batch_size_change_no_bit(
    variant: Variant, threads: int, network: ConvLstm
) -> None:
    """A window has its maps whoever computes it and whatever else is in the batch."""
    blob, jobs = fold(network.trunk), all_jobs(network, 5)
    alone, team = Kernel(variant, blob, 1), Kernel(variant, blob, threads)
    assert team.threads == threads
    together = team.run(slices(), jobs)
    for at in (0, 7, 13, 26, 39, 41):
        one = Jobs(jobs.slices[at : at + 1], jobs.lower[at : at + 1], jobs.width[at : at + 1])
        np.testing.assert_array_equal(alone.run(slices(), one)[0], together[at])
    none = Jobs(jobs.slices[:0], jobs.lower[:0], jobs.width[:0])
    assert team.run(slices(), none).shape == (0, 800)


@on_each_variant("fp32")
def test_a_unit_without_batch_norm_is_followed(variant: Variant) -> None:
    """The flag `bn_unit5` of the network reaches the kernel."""
    network = nasty_network(1, bn_unit5=False)
    jobs = all_jobs(network, 1)
    found = Kernel(variant, fold(network.trunk), 1).run(noise(10)[None], jobs)
    with torch.inference_mode():
        maps = network.maps(torch.from_numpy(noise(10)[None]), torch.from_numpy(WINDOWS[:1]))
    np.testing.assert_allclose(found, maps[0].numpy(), atol=TOLERANCE["fp32"])
    assert found.min() >= 0


def test_what_the_kernel_cannot_run_is_refused(network: ConvLstm) -> None:
    """Wrong types, shapes, slices and windows raise; they are never read past their end."""
    kernel = Kernel(variants()[0], fold(network.trunk), 1)
    one = all_jobs(network, 1)
    short = air()[None, :511]
    for voxels, jobs in (
        (air()[None].astype(np.int32), one),
        (short, one),
        (air()[None], replace(one, slices=one.slices + 1)),
        (air()[None], replace(one, slices=one.slices - 1)),
        (air()[None], replace(one, slices=one.slices.astype(np.int64))),
        (air()[None], replace(one, lower=one.lower[:9])),
        (air()[None], replace(one, lower=one.lower * np.float32("nan"))),
        (air()[None], replace(one, width=one.width * 0)),
    ):
        with pytest.raises(ValueError, match=r"must|slice|window|job"):
            kernel.run(voxels, jobs)
    kernel.close()
    with pytest.raises(ValueError, match="closed"):
        kernel.run(air()[None], one)


def test_weights_or_a_processor_that_do_not_fit_are_refused(network: ConvLstm) -> None:
    """A blob of another length, or an instruction set that is unknown, opens no kernel."""
    blob = fold(network.trunk)
    with pytest.raises(RuntimeError, match="does not take"):
        Kernel(variants()[0], blob[:-1], 1)
    with pytest.raises(RuntimeError, match="does not take"):
        Kernel(Variant("avx1024", "fp32"), blob, 1)


@each_variant
def test_the_peak_counts_its_operations(variant: Variant) -> None:
    """Twice the rounds are twice the operations."""
    assert spin(variant, 2000) == 2 * spin(variant, 1000) > 0


def test_the_variants_are_known_and_the_fastest_leads() -> None:
    """Those of the library are those that the tests run; each precision begins with its best."""
    assert {each.name: each.precision for each in variants()}.items() <= ALL_VARIANTS.items()
    for precision in ("fp32", "bf16"):
        here = [each.name for each in variants() if each.precision == precision]
        assert here == [name for name in ALL_VARIANTS if name in here]


def test_a_process_that_gets_no_tiles_runs_without_them() -> None:
    """Linux refuses tiles to a thread whose signal stack is too small, as a sandbox may too."""
    code = """
import ctypes
from service.engine.native.library import variants
class Stack(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
room = ctypes.create_string_buffer(8192)
small = Stack(ctypes.addressof(room), 0, len(room))
assert ctypes.CDLL(None).sigaltstack(ctypes.byref(small), None) == 0
print(*(each.name for each in variants()))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rest = [each.name for each in variants() if not each.name.startswith("amx")]
    assert done.stdout.split() == rest


def test_a_library_that_is_not_there_is_none(tmp_path: Path) -> None:
    """The service then runs without it; so it does with a file that is no library."""
    assert open_library(tmp_path / "absent.so") is None
    (tmp_path / "torn.so").write_bytes(b"\x7fELF")
    assert open_library(tmp_path / "torn.so") is None
