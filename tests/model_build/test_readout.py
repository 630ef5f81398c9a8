"""Readout: what the map heads know is in the logits before any training of the dense layers."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import roc_auc_score

from model_build.map_heads import MapHeads
from model_build.readout import start_from_maps
from service.model.conv_lstm import ConvLstm

CELLS = 4  # of unit 5 at 256 pixels


def lesions(count: int = 300) -> tuple[MapHeads, torch.Tensor, torch.Tensor]:
    """Heads that look at one channel each, and maps where it is high in one cell or nowhere."""
    torch.manual_seed(1)
    heads = MapHeads()
    with torch.no_grad():
        heads.deep.weight.zero_()
        for label in range(6):
            heads.deep.weight[label, label, 0, 0] = 3.0
    labels = (torch.rand(count, 6) < 0.3).float()
    maps = 0.3 * torch.randn(count, 8, CELLS)
    for row, label in torch.nonzero(labels).tolist():
        maps[row, label, int(torch.randint(CELLS, ()))] += 2.0
    return heads, maps.flatten(1), labels


def auroc(network: ConvLstm, maps: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """AUROC of the window head, one per label."""
    with torch.no_grad():
        logits = network.window_logits(network.trunk.dense(maps))
    return [float(roc_auc_score(labels[:, k], logits[:, k])) for k in range(6)]


def test_the_heads_are_read_wherever_the_lesion_lies() -> None:
    """Near chance before, nearly perfect after, on slices that chose nothing."""
    heads, maps, labels = lesions()
    torch.manual_seed(2)
    network = ConvLstm(256, window_head=True)
    half = len(maps) // 2
    before = auroc(network, maps[half:], labels[half:])
    start_from_maps(network, heads, maps[:half], labels[:half])
    after = auroc(network, maps[half:], labels[half:])
    assert min(after) > 0.95
    assert max(before) < 0.9


def test_a_label_of_one_class_is_no_error() -> None:
    """A small set may have no slice of a subtype; its offset is then the first."""
    heads, maps, labels = lesions(40)
    labels[:, 2] = 0
    start_from_maps(ConvLstm(256, window_head=True), heads, maps, labels)


def test_a_network_without_its_window_head_is_refused() -> None:
    """There would be no place for the last step."""
    heads, maps, labels = lesions(10)
    with pytest.raises(ValueError, match="no room"):
        start_from_maps(ConvLstm(256), heads, maps, labels)
