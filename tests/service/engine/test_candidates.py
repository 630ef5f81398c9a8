"""Candidates: which engines are tried by themselves, and which when they are asked for."""

from __future__ import annotations

import shutil

import pytest
import torch

from service.engine import candidates
from service.engine.candidates import Place
from service.engine.choice import Wish
from service.engine.native.engine import NativeUnavailable
from service.model.cnn_128 import Cnn128
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network

CPU = Place(torch.device("cpu"), 1)
TORCH, COMPILED = ("torch", "bf16"), (("torch_compiled", "fp32"), ("torch_compiled", "bf16"))


@pytest.fixture(scope="module")
def conv_lstm() -> Network:
    """A small one: nothing here runs it."""
    return ConvLstm(256)


@pytest.mark.parametrize(
    ("engine", "names"),
    [
        ("auto", (TORCH, *COMPILED)),
        ("torch", (TORCH,)),
        ("torch_compiled", COMPILED),
        ("native", ()),
    ],
)
def test_spare_engines_by_wish(
    conv_lstm: Network, monkeypatch: pytest.MonkeyPatch, engine: str, names: object
) -> None:
    """Each name brings its own; `auto` all of them, and nothing is compiled yet."""
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    found = candidates.spare(conv_lstm, CPU, Wish(engine))
    assert tuple((each.name, each.precision) for each in found) == names


def test_another_network_is_compiled_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take minutes."""
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    network = Cnn128(size=64)
    assert [each.name for each in candidates.spare(network, CPU, Wish())] == ["torch"]
    assert len(candidates.spare(network, CPU, Wish("torch_compiled"))) == 2


def test_without_a_compiler_nothing_is_compiled(
    conv_lstm: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start goes on with torch."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert [each.name for each in candidates.spare(conv_lstm, CPU, Wish())] == ["torch"]


def test_on_a_gpu_none_is_for_a_cpu(conv_lstm: Network) -> None:
    """The kernels of the GPU are looked for there, and say why they are absent."""
    gpu = Place(torch.device("cuda"), 1)
    assert candidates.spare(conv_lstm, gpu, Wish()) == ()
    found, absence = candidates.first(conv_lstm, gpu, Wish())
    assert (found, "512 pixels" in absence) == ((), True)


def test_the_reason_of_an_absence_is_handed_on(
    conv_lstm: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the native engine is not even looked for when torch is asked for."""

    def absent(network: Network, threads: int) -> None:
        raise NativeUnavailable("not built")

    monkeypatch.setattr(candidates, "native_engines", absent)
    assert candidates.first(conv_lstm, CPU, Wish("native")) == ((), "not built")
    assert candidates.first(conv_lstm, CPU, Wish("torch")) == ((), "")
