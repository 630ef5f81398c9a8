"""Weights: the sample weight of each slice (paper 4.4 names them and gives no formula)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def sample_weights(
    labels: npt.NDArray[np.uint8], epoch: npt.NDArray[np.uint8], cap: float = 10.0
) -> npt.NDArray[np.float32]:
    """Weight of each slice: max over its positive labels of min(sqrt(N-/N+), cap).

    Slices without a finding weigh 1 before everything is scaled so that the mean over an epoch is
    1. (Chosen: Keras class weights do not support several labels.)

    Args:
        labels: (N, 6) of 0 and 1, the slices to weigh.
        epoch: (M, 6), the labels of the slices of one epoch: N- and N+ are counted here.
        cap: largest weight of a label.

    Returns:
        (N,) float32.
    """
    positives = epoch.sum(axis=0).astype(np.float64)
    per_label = np.minimum(np.sqrt((len(epoch) - positives) / np.maximum(positives, 1.0)), cap)
    mean = _unscaled(epoch, per_label).mean()
    weights: npt.NDArray[np.float32] = (_unscaled(labels, per_label) / mean).astype(np.float32)
    return weights


def _unscaled(
    labels: npt.NDArray[np.uint8], per_label: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.where(labels.any(axis=1), (labels * per_label).max(axis=1), 1.0)
