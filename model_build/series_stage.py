"""SeriesStage: the head of window_series that reads whole series, on stored slice embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_build import neighbours
from model_build.dataset import View, in_order, loader
from model_build.stages import weighted_bce
from model_build.training import Training
from service.model.window_series import WindowSeries

BATCH = 16
ANY_WEIGHT = 2.0  # as in the challenge's metric
Item = tuple[Tensor, Tensor, Tensor]


class SeriesStage(nn.Module):
    """Loss of one series: its slices and the series as a whole; embeddings stay as they are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        if not isinstance(network, WindowSeries) or network.series is None:
            raise ValueError("this network has no head over the slices of a series")
        self.series = network.series
        self._network = [network]  # in a list: the rest of it is not this stage's to train

    def forward(self, embeddings: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        """Embeddings (T, 256), positions (T,) in mm, labels (T, 6) -> scalar loss."""
        slices, whole = self._network[0].series_logits(embeddings, z)
        even = torch.ones(len(slices), device=slices.device)
        each = weighted_bce(slices, labels, even, ANY_WEIGHT)
        positive = labels.amax(dim=0, keepdim=True)
        return each + weighted_bce(whole[None], positive, even[:1], ANY_WEIGHT)


@dataclass(frozen=True, slots=True)
class SeriesData:
    """Embeddings (N, 256), positions (N,), labels (N, 6) of slices; the rows of each series."""

    embeddings: Tensor
    order: Tensor
    labels: Tensor
    rows: tuple[npt.NDArray[np.intp], ...]

    def __len__(self) -> int:
        """Number of series."""
        return len(self.rows)

    def item(self, series: int) -> Item:
        """Embeddings, positions and labels of one series, in the order of its slices."""
        rows = torch.from_numpy(self.rows[series])
        return self.embeddings[rows], self.order[rows], self.labels[rows]


@torch.inference_mode()
def store_series(
    network: nn.Module, training: Training, indices: npt.NDArray[np.intp]
) -> SeriesData:
    """Embed the slices of a split, by all processes together.

    Raises:
        ValueError: the network embeds nothing, or slices have no known place in a series.
    """
    if not isinstance(network, WindowSeries):
        raise ValueError("only window_series reads whole series")
    place, source = training.place, training.source
    network.to(place.device).eval()
    mine = np.arange(len(indices))[place.rank :: place.world]
    rows = []
    for _, voxels, windows in loader(
        source, in_order(indices[mine], BATCH), View(context=True), training.workers
    ):
        rows.append(network.embed(voxels.to(place.device), windows.to(place.device)).float().cpu())
    found = torch.cat(rows)
    whole = torch.zeros(len(indices), found.shape[1])
    whole[torch.from_numpy(mine)] = found
    position = {int(row): place for place, row in enumerate(indices)}
    by_series = [
        np.array([position[int(row)] for row in rows if int(row) in position], dtype=np.intp)
        for rows in neighbours.series_rows(source)
    ]
    return SeriesData(
        place.summed(whole),
        torch.from_numpy(source.order[indices]),
        training.labels[torch.from_numpy(indices)],
        tuple(rows for rows in by_series if len(rows)),
    )
