"""Occlusion: what each window adds to the answer of the Conv-LSTM, from its trunk features alone.

features (N, 10, 128) -> one window's token replaced by its validation mean -> logit lost
                      -> LSTM after 1..10 windows                           -> AUROC by label

Evaluation spec section 10: cheap, no second pass through the convolutions. A window that adds
nothing may still be read where others are missing: this tells what is used, not what is needed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_build import intervals
from model_build.evaluation_rows import figures_of
from model_build.evaluation_table import Row, Table
from model_build.evaluation_tables import aurocs
from model_build.intervals import Resampling
from model_build.metrics import FloatArray
from service.model.conv_lstm import ConvLstm
from service.model.windows import WINDOW_NAMES
from service.types import LABELS

OCCLUSION_TITLE = "Window occlusion: mean logit lost where the label is present"
CHANGE_TITLE = "Window occlusion: mean size of the change of the logit, all slices"
TRACE_TITLE = "AUROC after 1 to 10 windows"

Labels = npt.NDArray[np.integer]


def tables(
    network: ConvLstm,
    features: Tensor,
    usual: Tensor,
    labels: Labels,
    resampling: Resampling,
) -> tuple[Table, ...]:
    """Two tables of occlusion and the trace, windows in rows, labels in columns.

    Args:
        network: trained, in evaluation mode.
        features: (N, 10, 128) trunk features of the test slices.
        usual: (10, 128), mean features of validation slices, what replaces a token.
        labels: (N, 6), 0 or 1.
        resampling: of the same N slices.
    """
    lost = occluded(network, features, usual)
    present = (labels > 0).astype(np.float64)
    everywhere = np.ones_like(present)
    return (
        _occlusion_table(OCCLUSION_TITLE, lost, present, resampling),
        _occlusion_table(CHANGE_TITLE, np.abs(lost), everywhere, resampling),
        _trace_table(trace(network, features), labels, resampling),
    )


@torch.inference_mode()
def occluded(network: ConvLstm, features: Tensor, usual: Tensor) -> FloatArray:
    """Logit with all windows minus logit without one: (N, 10, 128), (10, 128) -> (N, 10, 6)."""
    near = features.to(network.head.weight.device)
    fill = usual.to(near)
    whole, lost = network.sequence_logits(near), []
    for window in range(len(WINDOW_NAMES)):
        without = near.clone()
        without[:, window] = fill[window]
        lost.append(whole - network.sequence_logits(without))
    found: FloatArray = torch.stack(lost, dim=1).cpu().numpy().astype(np.float64)
    return found


@torch.inference_mode()
def trace(network: ConvLstm, features: Tensor) -> FloatArray:
    """Logits after 1..10 windows: (N, 10, 128) -> (N, 10, 6)."""
    states, _ = network.lstm(features.to(network.head.weight.device))
    found: FloatArray = network.head(states).cpu().numpy().astype(np.float64)
    return found


def _occlusion_table(
    title: str, values: FloatArray, members: FloatArray, resampling: Resampling
) -> Table:
    """Mean of values (N, 10, 6) over the member slices (N, 6) of each label."""
    sums = values * members[:, None, :]
    counts, drawn_counts = members.sum(axis=0), intervals.sum_replicates(members, resampling)
    drawn_sums = intervals.sum_replicates(sums, resampling)
    means = _ratio(sums.sum(axis=0), counts)
    drawn = _ratio(drawn_sums, drawn_counts[:, None, :])
    rows = [
        Row(name, figures_of(LABELS, means[k], drawn[:, k]), slices=len(values))
        for k, name in enumerate(WINDOW_NAMES)
    ]
    return Table(title, LABELS, tuple(rows))


def _trace_table(logits: FloatArray, labels: Labels, resampling: Resampling) -> Table:
    rows = []
    for k, name in enumerate(WINDOW_NAMES):
        values, spread = aurocs(logits[:, k], labels, resampling)
        figures = figures_of(LABELS, values, spread)
        rows.append(Row(f"{k + 1}: {name}", figures, slices=len(labels)))
    return Table(TRACE_TITLE, LABELS, tuple(rows))


def _ratio(sums: FloatArray, counts: FloatArray) -> FloatArray:
    """Quotients, NaN where nothing was counted."""
    bottom = np.broadcast_to(counts, sums.shape)
    found: FloatArray = np.divide(sums, bottom, out=np.full(sums.shape, np.nan), where=bottom > 0)
    return found
