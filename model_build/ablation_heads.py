"""Ablation heads: what may read the ten window features of a slice instead of the paper's LSTM.

stored trunk features (N, 10, 128) -> `fit` a head -> logits (N, 6); the trunk is never touched, so
that all heads see the same features and a fit takes seconds to minutes on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from service.model.conv_lstm import ConvLstm
from service.model.trunk import FEATURES
from service.types import LABELS

KINDS: tuple[str, ...] = ("lstm", "shuffled_lstm", "mean", "brain_window")
KEPT = "features.safetensors"  # of the training slices, in the run folder
STEP = 256  # slices
BRAIN_WINDOW = 1  # its place among the ten windows


@dataclass(frozen=True, slots=True)
class Budget:
    """How long and how fast a head is trained; the same for every kind."""

    epochs: int = 20
    batch: int = 64
    learning_rate: float = 1e-3  # Adam


class ReadingHead(nn.Module):
    """Features of the ten windows (N, 10, 128) -> six logits (N, 6), by one of `KINDS`.

    lstm           the paper's LSTM and dense layer, trained anew
    shuffled_lstm  the same, but every slice's windows come in a random order, also when it is used
    mean           mean over the windows, then the dense layer
    brain_window   the dense layer on the brain window alone
    """

    def __init__(self, kind: str) -> None:
        """Build one with fresh weights.

        Raises:
            ValueError: `kind` is not one of `KINDS`.
        """
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"the head must be one of {', '.join(KINDS)}")
        self.kind = kind
        sequential = kind.endswith("lstm")
        self.lstm = nn.LSTM(FEATURES, FEATURES, batch_first=True) if sequential else None
        self.head = nn.Linear(FEATURES, len(LABELS))

    def forward(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """(N, 10, 128) -> (N, 6); the generator draws orders, where the kind has any."""
        if self.kind == "shuffled_lstm":
            features = shuffled(features, generator)
        if self.lstm is not None:
            pooled = self.lstm(features)[0][:, -1]
        elif self.kind == "mean":
            pooled = features.mean(dim=1)
        else:
            pooled = features[:, BRAIN_WINDOW]
        logits: Tensor = self.head(pooled)
        return logits


@torch.inference_mode()
def keep(folder: Path, network: ConvLstm, maps: Tensor, labels: Tensor, weights: Tensor) -> None:
    """Write the trunk features of stored maps (N, 10, 800), labels and weights for `kept`."""
    device = network.head.weight.device
    rows = [network.trunk.dense(some.to(device).float()).cpu() for some in torch.split(maps, STEP)]
    found = {"features": torch.cat(rows).bfloat16(), "labels": labels, "weights": weights}
    save_file({name: value.contiguous() for name, value in found.items()}, folder / KEPT)


def kept(folder: Path, seed: int, budget: Budget | None = None) -> dict[str, ReadingHead]:
    """Every kind of head, fitted on what the training of this run kept; {} where it kept none."""
    if not (folder / KEPT).exists():
        return {}
    found = load_file(folder / KEPT)
    features = found["features"].float()
    return {
        f"{kind}, trained on the same features": fit(
            kind, features, found["labels"], seed, budget, found["weights"]
        )
        for kind in KINDS
    }


def shuffled(features: Tensor, generator: torch.Generator) -> Tensor:
    """The windows of every slice in an order of its own: (N, T, F) -> (N, T, F)."""
    order = torch.rand(features.shape[:2], generator=generator).argsort(dim=1)
    return features.gather(1, order.unsqueeze(2).expand_as(features))


def fit(
    kind: str,
    features: Tensor,
    labels: Tensor,
    seed: int,
    budget: Budget | None = None,
    weights: Tensor | None = None,
) -> ReadingHead:
    """Train a head on the features of training slices; the same seed gives the same weights.

    Args:
        kind: one of `KINDS`.
        features: (N, 10, 128) float32 on the CPU, of training patients only.
        labels: (N, 6) of 0 and 1.
        seed: of the first weights, of the order of slices and of windows.
        budget: epochs, batch size and learning rate.
        weights: (N,) sample weights, 1 where not given.

    Raises:
        ValueError: an unknown kind, or no slice, or shapes that do not fit.
    """
    if not len(features) or labels.shape != (len(features), len(LABELS)):
        raise ValueError("features and labels need one row per slice, and at least one slice")
    budget = budget or Budget()
    weights = torch.ones(len(features)) if weights is None else weights
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = ReadingHead(kind)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(head.parameters(), lr=budget.learning_rate)
    for _ in range(budget.epochs):
        for rows in torch.split(torch.randperm(len(features), generator=generator), budget.batch):
            logits = head(features[rows], generator)
            each = F.binary_cross_entropy_with_logits(
                logits, labels[rows].float(), reduction="none"
            )
            loss = (each.mean(dim=1) * weights[rows]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return head.eval()
