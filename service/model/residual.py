"""Residual: the trunk of `window_series`, a small residual network over fused window tokens.

Source: spec variant `plus`; blocks as in He et al. 2016, conv-BN-ReLU twice plus a shortcut.
Sizes below are for a 64 x 64 token, which is what a 512-pixel slice gives.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

# (channels, blocks) of each stage; every stage behind the first halves the size.
STAGES: tuple[tuple[int, int], ...] = ((64, 2), (128, 2), (256, 2), (384, 1))
EMBEDDING = 256


class ResidualBlock(nn.Module):
    """(N, C, H, W) -> (N, D, H / stride, W / stride), with a 1x1 shortcut where shapes differ."""

    def __init__(self, channels: int, filters: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(filters)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != filters:
            projection = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(filters))

    def forward(self, maps: Tensor) -> Tensor:
        """One block: (N, C, H, W) -> (N, D, H / stride, W / stride)."""
        inner = F.relu(self.first_norm(self.first(maps)))
        inner = self.second_norm(self.second(inner))
        return F.relu(inner + self.shortcut(maps))


class ResidualTrunk(nn.Module):
    """Fused tokens (B, 64, 64, 64) -> slice embeddings (B, 256)."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        channels = STAGES[0][0]
        for stage, (filters, count) in enumerate(STAGES):
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(ResidualBlock(channels, filters, stride))
                channels = filters
        self.blocks = nn.Sequential(*blocks)
        self.project = nn.Linear(channels, EMBEDDING)

    def forward(self, token: Tensor) -> Tensor:
        """(B, 64, H, W) -> (B, 256); H and W divisible by 8."""
        maps = self.blocks(token)  # (B, 384, H / 8, W / 8)
        embedding: Tensor = self.project(maps.mean(dim=(2, 3)))
        return embedding
