"""Unet training: Dice and cross-entropy, best epoch by validation Dice, resumable by epoch.

(seed, fold, epoch) -> slices and flips of the epoch -> loss -> Adam -> val Dice -> checkpoint
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from model_build.companions import overlap
from model_build.companions.segmentation_data import SegmentationSet
from model_build.companions.unet import Unet, soft_area

CHECKPOINT = "checkpoint.pt"
THRESHOLD = 0.5  # of a pixel's probability
FINAL_SHARE = 0.01  # the cosine ends at this share of the rate

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class UnetSettings:
    """How a U-Net is trained. The paper gives size and folds; the rest is chosen."""

    size: int = 640  # pixels
    base: int = 64  # channels of the first level
    epochs: int = 60
    batch: int = 8
    learning_rate: float = 1e-3  # Adam, cosine
    negatives_per_positive: float = 1.0  # slices without a mask in an epoch, drawn afresh
    folds: int = 5
    seed: int = 0


class TrainingStopped(Exception):
    """The run was told to stop early, right after a checkpoint."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows of one fold; no patient is in two of the three."""

    number: int
    train: Rows
    val: Rows
    test: Rows


def loss_of(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy of the pixels plus one minus the soft Dice of the batch; both (B, S, S)."""
    logits = logits.float()
    cross = F.binary_cross_entropy_with_logits(logits, masks)
    soft = logits.sigmoid()
    # The one keeps a batch without blood from dividing by zero.
    overlapping = (2 * (soft * masks).sum() + 1) / (soft.sum() + masks.sum() + 1)
    return cross + 1 - overlapping


def fit(
    data: SegmentationSet,
    fold: Fold,
    settings: UnetSettings,
    folder: Path,
    device: torch.device,
    *,
    progress: bool = True,
    stop_after: int | None = None,
) -> tuple[Unet, list[dict[str, float]]]:
    """Train, or resume, the network of one fold.

    Args:
        data: images and masks.
        fold: which of them train and which choose the epoch.
        settings: how.
        folder: where the checkpoint lies, renewed after every epoch.
        device: where to compute.
        progress: whether to show a bar.
        stop_after: number of epochs to stop behind (tests of resuming).

    Returns:
        The network of the epoch with the best validation Dice, and one row per epoch: epoch, loss,
        val_dice, seconds.

    Raises:
        ValueError: no slice of the training or the validation part shows blood, or the folder
            holds a run of other settings.
        FloatingPointError: the loss is not finite.
        TrainingStopped: `stop_after` was reached.
    """
    if not all(data.masks[rows].any() for rows in (fold.train, fold.val)):
        raise ValueError("training and validation both need slices with blood")
    torch.manual_seed(settings.seed + fold.number)
    network = Unet(settings.base).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    state = _read(folder, settings, fold)
    if state["history"]:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
    for epoch in range(len(state["history"]), settings.epochs):
        began = time.monotonic()
        loss = _epoch(network, optimizer, data, fold, settings, epoch, progress)
        scored = overlap.dice(predict(network, data, fold.val, settings.batch)[0])
        row = {"epoch": epoch, "loss": loss, "val_dice": float(np.nanmean(scored))}
        if row["val_dice"] > state["best_dice"]:
            state["best_dice"] = row["val_dice"]
            state["best"] = {name: each.clone() for name, each in network.state_dict().items()}
        state["history"].append(row | {"seconds": round(time.monotonic() - began, 1)})
        state |= {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        _write(state, folder)
        if stop_after is not None and epoch + 1 >= stop_after:
            raise TrainingStopped
    network.load_state_dict(state["best"])
    return network.eval(), state["history"]


@torch.inference_mode()
def predict(
    network: Unet, data: SegmentationSet, rows: Rows, batch: int
) -> tuple[overlap.Counts, npt.NDArray[np.float64]]:
    """Pixel counts (len(rows), 3) against the masks, and soft areas (len(rows),)."""
    network.eval()
    device = next(network.parameters()).device
    found, areas = [], []
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        logits = network(_images(data, part).to(device))
        predicted = (logits.float().sigmoid() >= THRESHOLD).cpu().numpy()
        found.append(overlap.counts(predicted, data.masks[part]))
        areas.append(soft_area(logits).cpu().numpy().astype(np.float64))
    return np.concatenate(found), np.concatenate(areas)


def epoch_rows(data: SegmentationSet, train: Rows, ratio: float, seed: tuple[int, ...]) -> Rows:
    """Every slice with blood and a fresh draw of the others, shuffled."""
    rng = np.random.default_rng(seed)
    positive = data.masks[train].any(axis=(1, 2))
    others = rng.permutation(train[~positive])[: round(ratio * int(positive.sum()))]
    return rng.permutation(np.concatenate([train[positive], others]))


def _epoch(
    network: Unet,
    optimizer: torch.optim.Optimizer,
    data: SegmentationSet,
    fold: Fold,
    settings: UnetSettings,
    epoch: int,
    progress: bool,
) -> float:
    """One epoch of training; returns the mean loss of its batches."""
    seed = (settings.seed, fold.number, epoch)
    rows = epoch_rows(data, fold.train, settings.negatives_per_positive, seed)
    turned = np.random.default_rng((*seed, 1)).random(len(rows)) < 0.5
    share = FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * epoch / settings.epochs)) / 2
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate * share
    device = next(network.parameters()).device
    network.train()
    losses = []
    starts = range(0, len(rows), settings.batch)
    for start in tqdm(starts, f"fold {fold.number} epoch {epoch}", disable=not progress):
        part, flips = rows[start : start + settings.batch], turned[start : start + settings.batch]
        images, masks = _images(data, part), torch.from_numpy(data.masks[part]).float()
        flip = torch.from_numpy(flips)[:, None, None]  # heads are symmetric left to right
        images, masks = (torch.where(flip, each.flip(2), each) for each in (images, masks))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = network(images.to(device))
        loss = loss_of(logits, masks.to(device))
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(f"the loss is not finite in epoch {epoch}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return float(np.mean(losses))


def _images(data: SegmentationSet, rows: Rows) -> Tensor:
    return torch.from_numpy(data.images[rows]).float() / 255.0


def _identity(settings: UnetSettings, fold: Fold) -> dict[str, Any]:
    return {**asdict(settings), "fold": fold.number, "slices": len(fold.train)}


def _read(folder: Path, settings: UnetSettings, fold: Fold) -> dict[str, Any]:
    path = folder / CHECKPOINT
    fresh = {"identity": _identity(settings, fold), "history": [], "best_dice": -1.0}
    if not path.exists():
        return fresh
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["identity"] != fresh["identity"]:
        raise ValueError("the folder holds a U-Net run of other settings or data")
    return state


def _write(state: dict[str, Any], folder: Path) -> None:
    """Renaming is atomic: a kill leaves the old checkpoint or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{CHECKPOINT}.partial"
    torch.save(state, draft)
    draft.replace(folder / CHECKPOINT)
