"""Ablation heads: what each kind looks at, and that fits are reproducible."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from model_build.ablation_heads import KINDS, Budget, ReadingHead, fit, keep, kept, shuffled
from service.model.conv_lstm import ConvLstm

BUDGET = Budget(epochs=20, batch=16, learning_rate=1e-2)


def task(count: int = 64) -> tuple[Tensor, Tensor]:
    """Features whose first entry, in every window, is +1 for a positive slice and -1 for others."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.arange(count) % 2).float()
    features = 0.1 * torch.randn(count, 10, 128, generator=generator)
    features[:, :, 0] += (2 * labels - 1).unsqueeze(1)
    return features, labels.unsqueeze(1).expand(-1, 6)


def generator() -> torch.Generator:
    """A fresh generator of window orders."""
    return torch.Generator().manual_seed(9)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_what_all_windows_show(kind: str) -> None:
    """The sign of one feature is found by each of them."""
    features, labels = task()
    head = fit(kind, features, labels, 1, BUDGET)
    with torch.inference_mode():
        called = head(features, generator()) > 0
    assert torch.equal(called.float(), labels)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_head(kind: str) -> None:
    """Weights are equal bit for bit, and the caller's own random state is left alone."""
    features, labels = task(16)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, second = (fit(kind, features, labels, 7, Budget(1)).state_dict() for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = fit(kind, features, labels, 8, Budget(1)).state_dict()
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_shuffling_keeps_each_slices_windows_together() -> None:
    """Windows change places within a slice, differently in each; none is lost or mixed."""
    features = torch.arange(80.0).view(8, 10, 1)
    mixed = shuffled(features, generator())
    assert torch.equal(mixed.sort(dim=1).values, features)
    assert len({tuple((row - row.min()).flatten().tolist()) for row in mixed}) > 1


@pytest.mark.parametrize(
    ("kind", "reads_order", "reads_bone"), [("mean", False, True), ("brain_window", True, False)]
)
def test_what_the_simple_heads_look_at(kind: str, reads_order: bool, reads_bone: bool) -> None:
    """The mean ignores the order; the brain window alone ignores the others."""
    torch.manual_seed(2)
    head, features = ReadingHead(kind), torch.randn(4, 10, 128)
    bone = features.clone()
    bone[:, 8] += 1.0
    with torch.inference_mode():
        plain, turned, other = (
            head(each, generator()) for each in (features, features.flip(1), bone)
        )
    assert (float((plain - turned).abs().max()) > 1e-3) == reads_order
    assert (float((plain - other).abs().max()) > 1e-3) == reads_bone


def test_sample_weights_count() -> None:
    """A slice of weight zero is not learnt from."""
    features, labels = task()
    flipped = torch.cat([labels, 1 - labels])
    weights = torch.cat([torch.ones(64), torch.zeros(64)])
    head = fit("mean", torch.cat([features, features]), flipped, 1, BUDGET, weights)
    with torch.inference_mode():
        assert torch.equal((head(features, generator()) > 0).float(), labels)


def test_unknown_kinds_and_unfitting_shapes_are_refused() -> None:
    """Neither an unknown head nor features without labels."""
    with pytest.raises(ValueError, match="one of"):
        ReadingHead("sum")
    with pytest.raises(ValueError, match="one row per slice"):
        fit("mean", torch.zeros(2, 10, 128), torch.zeros(3, 6), 0)
    with pytest.raises(ValueError, match="at least one"):
        fit("mean", torch.zeros(0, 10, 128), torch.zeros(0, 6), 0)


def test_heads_are_fitted_on_what_the_training_kept(tmp_path: Path) -> None:
    """One head of every kind, equal to a fit on the features themselves; none without a file."""
    assert kept(tmp_path, 7) == {}
    torch.manual_seed(0)
    network, maps = ConvLstm(256, window_head=True).eval(), torch.rand(12, 10, 32)
    labels, weights = (torch.rand(12, 6) > 0.5).float(), torch.rand(12)
    keep(tmp_path, network, maps.bfloat16(), labels, weights)
    found = kept(tmp_path, 7, Budget(1))
    assert len(found) == len(KINDS)
    with torch.inference_mode():
        features = network.trunk.dense(maps.bfloat16().float()).bfloat16().float()
    for kind, head in zip(KINDS, found.values(), strict=True):
        again = fit(kind, features, labels, 7, Budget(1), weights)
        assert head.kind == kind
        assert torch.equal(head.head.weight, again.head.weight)
