"""Readout: starts the dense layers from what the map heads have learnt.

unit-5 maps -> one unit per label and cell: ReLU(head's logit + offset) -> sum over the cells
The dense layers hold 99 % of the weights and see few slices, so from random weights they learn by
heart where lesions lay. Started here, they begin as "how much of it is anywhere" and are trained
on from there. The network stays the paper's: only its first weights differ.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from model_build.map_heads import MapHeads
from service.model.conv_lstm import ConvLstm
from service.types import LABELS

OFFSETS = (3.0, 2.5, 2.0, 1.5, 1.0, 0.5)  # above a head's logit: when a cell begins to count
BYSTANDERS = 0.1  # share that other weights keep where the evidence passes


@torch.no_grad()
def start_from_maps(network: ConvLstm, heads: MapHeads, maps: Tensor, labels: Tensor) -> None:
    """Write the map heads into the dense layers and the window head, in place.

    Args:
        network: with its window head; the convolutions are those the heads were trained on.
        heads: trained.
        maps: (N, 800) float32 flattened maps of training slices in one window.
        labels: (N, 6) float; they choose each label's offset.

    Raises:
        ValueError: the network has no window head, or more cells than dense units.
    """
    layers = [layer for layer in network.trunk.dense if isinstance(layer, nn.Linear)]
    channels = heads.deep.in_channels
    cells = maps.shape[1] // channels
    if network.window_head is None or cells * len(LABELS) > layers[0].out_features:
        raise ValueError("this network has no room for the map heads")
    weight, bias = heads.deep.weight[:, :, 0, 0], _bias(heads.deep)
    logits = torch.einsum("kc,ncp->nkp", weight, maps.view(-1, channels, cells))
    logits = logits + bias[:, None]
    layers[1].weight[:, : cells * len(LABELS)] *= BYSTANDERS
    for label in range(len(LABELS)):
        offset, scale = _offset(logits[:, label], labels[:, label])
        rows = slice(label * cells, (label + 1) * cells)
        layers[0].weight[rows] = torch.kron(weight[label], torch.eye(cells))
        _bias(layers[0])[rows] = bias[label] + offset
        layers[1].weight[label] = 0.0
        layers[1].weight[label, rows] = scale
        _bias(layers[1])[label] = 0.0
        for layer in (*layers[2:], network.window_head):
            layer.weight[label] *= BYSTANDERS
            layer.weight[label, label] = 1.0
            _bias(layer)[label] = 0.0


def _offset(logits: Tensor, present: Tensor) -> tuple[float, float]:
    """The offset whose sum over cells (N, cells) ranks slices best, and one over its SD."""
    sums = [torch.relu(logits + offset).sum(dim=1) for offset in OFFSETS]
    known = present.numpy() > 0
    if known.all() or not known.any():
        best = 0
    else:
        best = int(np.argmax([roc_auc_score(known, values.numpy()) for values in sums]))
    return OFFSETS[best], 1.0 / max(float(sums[best].std()), 1e-3)


def _bias(layer: nn.Linear | nn.Conv2d) -> Tensor:
    """The bias of a layer that has one."""
    if layer.bias is None:
        raise ValueError("every layer of the readout has a bias")
    return layer.bias
