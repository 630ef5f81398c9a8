"""TorchEngine: the network's own logits, on the CPU in small batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from service.engine.torch_engine import CPU_MAX_BATCH, TorchEngine


class Sums(nn.Module):
    """Six times voxel [0, 0] + centre + width: a network that can be worked out by hand."""

    def forward(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """(B, H, W) and (B, 2) -> (B, 6)."""
        assert not self.training
        return (voxels_hu[:, 0, 0].float() + default.sum(1))[:, None].expand(-1, 6)


def test_voxels_and_windows_reach_the_network_in_order() -> None:
    """Slices of 1 and 2 with windows (40, 80) and (10, 5)."""
    engine = TorchEngine(Sums(), torch.device("cpu"), 64)  # type: ignore[arg-type]
    voxels = np.stack([np.full((4, 4), value, np.int16) for value in (1, 2)])
    logits = engine.forward(voxels, np.array([[40, 80], [10, 5]], np.float32))
    assert logits.dtype == np.float32
    assert logits.tolist() == [[121.0] * 6, [17.0] * 6]


def test_the_engine_says_what_it_is() -> None:
    """Name, precision, batch and threads, as GET /v1/model shows them."""
    engine = TorchEngine(Sums(), torch.device("cpu"), 64)  # type: ignore[arg-type]
    assert (engine.name, engine.precision) == ("torch", "fp32")
    assert engine.efficient_batch == CPU_MAX_BATCH
    assert engine.facts() == {"device": "cpu", "threads": torch.get_num_threads()}
