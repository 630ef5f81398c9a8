"""Series head: what the GRU reads, what the series score is, what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from service.model.series_head import SeriesHead, sequence_of, smooth_max


def test_the_series_head_reads_neighbours_and_positions() -> None:
    """With weights of its own a slice's logits depend on the slices around it."""
    torch.manual_seed(5)
    head = SeriesHead()
    nn.init.normal_(head.slice_head.weight)
    embeddings, z, logits = torch.randn(6, 256), torch.arange(6.0), torch.zeros(6, 6)
    changed = embeddings.clone()
    changed[3] += 1.0
    with torch.inference_mode():
        first, other = head(embeddings, z, logits)[0], head(changed, z, logits)[0]
        moved = head(embeddings, z**2, logits)[0]
    assert all(float((first - other)[row].abs().max()) > 1e-5 for row in range(6))
    assert float((first - moved).abs().max()) > 1e-5


def test_the_sequence_by_hand() -> None:
    """Embeddings 1, 3, 2 at 0, 5 and 20 mm: differences to both sides and the place in 0..1."""
    embeddings = torch.tensor([1.0, 3.0, 2.0]).unsqueeze(1).expand(3, 256)
    rows = sequence_of(embeddings, torch.tensor([0.0, 5.0, 20.0]))
    assert rows.shape == (3, 769)
    assert rows[:, 0].tolist() == [1, 3, 2]
    assert rows[:, 256].tolist() == [0, 2, -1]
    assert rows[:, 512].tolist() == [-2, 1, 0]
    assert rows[:, -1].tolist() == [0, 0.25, 1]
    assert sequence_of(embeddings[:1], torch.tensor([7.0]))[0, -1] == 0


def test_the_smooth_maximum_lies_between_mean_and_maximum() -> None:
    """Equal slices score as themselves, one bright slice of 32 scores at most 0.87 lower."""
    assert torch.allclose(smooth_max(torch.full((7, 6), 1.5)), torch.full((6,), 1.5))
    logits = torch.full((32, 6), -5.0)
    logits[9] = 3.0
    assert 2.12 < float(smooth_max(logits)[0]) < 3.0


@pytest.mark.parametrize(
    ("embeddings", "z"),
    [
        (torch.zeros(0, 256), torch.zeros(0)),
        (torch.zeros(2, 255), torch.zeros(2)),
        (torch.zeros(2, 256), torch.zeros(3)),
        (torch.zeros(2, 256), torch.tensor([0.0, float("nan")])),
        (torch.zeros(2, 256), torch.tensor([5.0, 0.0])),
    ],
    ids=["no slice", "wrong width", "wrong length", "unknown position", "out of order"],
)
def test_a_series_that_is_not_in_order_is_refused(embeddings: Tensor, z: Tensor) -> None:
    """Positions must be known and must not fall."""
    with pytest.raises(ValueError, match=r"series|position"):
        sequence_of(embeddings, z)
