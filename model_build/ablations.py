"""Ablations: does reading the ten windows as a sequence help, and what else could be read.

trunk features of a test split (N, 10, 128) -> `readings` -> logits by variant -> `compare` -> Table

Answers rows (a) to (d) of the table in the model specification (Rajagopal et al. 2023 against its
simpler forms) and the trace after 1..10 windows, all without a second pass through the CNN. Rows
(e) to (g) are networks of their own; their logits on the same slices join in `compare`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_build import intervals, metrics
from model_build.ablation_heads import ReadingHead, shuffled
from model_build.calibrate import fit_calibration
from model_build.evaluation_rows import estimate
from model_build.evaluation_table import Row, Table
from model_build.intervals import Resampling
from model_build.metrics import FloatArray
from service.artifact import calibrated
from service.model.conv_lstm import ConvLstm
from service.model.windows import WINDOW_NAMES
from service.types import LABELS

Logits = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer]

REFERENCE = "LSTM"
COLUMNS: tuple[str, ...] = (
    "auroc_any",
    "auroc",  # macro of 6
    "auroc_difference",  # to the reference, macro of 6
    "log_loss",  # the challenge's, `any` twice
    "log_loss_difference",
)
NO_DIFFERENCE = "no difference shown"


def ablate(
    network: ConvLstm,
    features: Tensor,
    labels: Labels,
    patients: Sequence[str],
    seed: int,
    *,
    heads: Mapping[str, ReadingHead] | None = None,
    others: Mapping[str, FloatArray] | None = None,
    validation: tuple[Tensor, Labels] | None = None,
    replicates: int = intervals.REPLICATES,
) -> Table:
    """Every variant of reading the windows on one test split, against the network's own LSTM.

    Args:
        network: trained, with its window head.
        features: (N, 10, 128) float32, its trunk features of the test slices, on the CPU.
        labels: (N, 6), 0 or 1.
        patients: (N,) keys; they are what is resampled.
        seed: of the shuffled orders and of the bootstrap.
        heads: heads trained by `ablation_heads.fit` on training features, by name.
        others: probabilities (N, 6) of other networks on the same slices, by name.
        validation: features and labels of other patients; with them each variant is calibrated
            on those before its log loss is taken, else the plain sigmoid is.
        replicates: of the bootstrap.

    Raises:
        RuntimeError: the network has no window head.
        ValueError: shapes that do not fit.
    """
    found = readings(network, features, seed, heads or {})
    if validation is not None:
        known = readings(network, validation[0], seed, heads or {})
        fits = {name: fit_calibration(known[name], validation[1]) for name in known}
        scores = {name: calibrated(found[name], *fits[name]) for name in found}
    else:
        scores = {name: probabilities_of(logits) for name, logits in found.items()}
    return compare({**scores, **(others or {})}, labels, patients, seed, replicates=replicates)


@torch.inference_mode()
def readings(
    network: ConvLstm, features: Tensor, seed: int, heads: Mapping[str, ReadingHead]
) -> dict[str, Logits]:
    """Logits (N, 6) of every variant: (N, 10, 128) trunk features -> by name.

    The reference comes first, then window mean, shuffled order, each window alone, the heads, and
    what the LSTM says after its first 1..9 windows.

    Raises:
        RuntimeError: the network has no window head.
        ValueError: the features are not (N, 10, 128).
    """
    if features.ndim != 3 or features.shape[1] != len(WINDOW_NAMES):
        raise ValueError("the features of the ten windows are (N, 10, 128)")
    network.eval()
    generator = torch.Generator().manual_seed(seed)
    device = network.head.weight.device
    near = features.to(device)
    each = network.window_logits(near)  # (N, 10, 6)
    states, _ = network.lstm(near)
    trace = network.head(states)  # (N, 10, 6), after 1..10 windows
    found = {
        REFERENCE: trace[:, -1],
        "mean of window logits": each.mean(dim=1),
        "LSTM, windows shuffled": network.sequence_logits(shuffled(features, generator).to(device)),
    }
    found |= {f"window {name} alone": each[:, t] for t, name in enumerate(WINDOW_NAMES)}
    found |= {name: head(features, generator) for name, head in heads.items()}
    found |= {f"LSTM after {t + 1} of 10": trace[:, t] for t in range(len(WINDOW_NAMES) - 1)}
    return {name: logits.cpu().numpy().astype(np.float32) for name, logits in found.items()}


def probabilities_of(logits: Logits) -> FloatArray:
    """Plain sigmoid of logits (N, 6)."""
    return calibrated(logits, (1.0,) * len(LABELS), (0.0,) * len(LABELS))


def compare(
    scores: Mapping[str, FloatArray],
    labels: Labels,
    patients: Sequence[str],
    seed: int,
    *,
    reference: str = REFERENCE,
    replicates: int = intervals.REPLICATES,
) -> Table:
    """One row per variant: AUROC, log loss and their differences to the reference.

    All variants are computed on the same bootstrap replicates, so the intervals of the
    differences are those of a paired comparison.

    Args:
        scores: probabilities (N, 6) by variant.
        labels: (N, 6), 0 or 1.
        patients: (N,) keys.
        seed: of the bootstrap.
        reference: the variant that the others are compared with.
        replicates: of the bootstrap.

    Raises:
        ValueError: the reference is not among the variants, or shapes do not fit.
    """
    if reference not in scores:
        raise ValueError("the reference is not among the variants")
    if any(values.shape != labels.shape for values in scores.values()):
        raise ValueError("every variant needs one row of six per labelled slice")
    if len(patients) != len(labels):
        raise ValueError("one patient per slice is needed")
    resampling = intervals.draw(patients, replicates, seed)
    base = _figures(scores[reference], labels, resampling)
    rows = []
    for name, probabilities in scores.items():
        own = base if name == reference else _figures(probabilities, labels, resampling)
        # (any, macro, loss) of the point and of each replicate -> the columns.
        columns = [
            np.stack([ours[0], ours[1], ours[1] - theirs[1], ours[2], ours[2] - theirs[2]])
            for ours, theirs in zip(own, base, strict=True)
        ]
        figures = {
            column: estimate(float(columns[0][index]), columns[1][index])
            for index, column in enumerate(COLUMNS)
        }
        rows.append(Row(name, figures))
    return Table(f"Reading the windows, against {reference}", COLUMNS, tuple(rows))


def verdicts(table: Table) -> dict[str, str]:
    """Per variant "better", "worse" or "no difference shown", by the interval of the AUROC.

    Where the interval of the difference holds zero, or there is none, nothing is shown.
    """
    found = {}
    for row in table.rows:
        difference = row.figures["auroc_difference"]
        found[row.name] = NO_DIFFERENCE
        if difference.low is not None and difference.low > 0:
            found[row.name] = "better"
        if difference.high is not None and difference.high < 0:
            found[row.name] = "worse"
    return found


def _figures(
    probabilities: FloatArray, labels: Labels, resampling: Resampling
) -> tuple[FloatArray, FloatArray]:
    """AUROC of any, macro AUROC of 6 and challenge loss: of the sample (3,), replicates (3, B)."""
    points, spread = [], []
    for label in range(len(LABELS)):
        area = metrics.auroc(probabilities[:, label], labels[:, label])
        points.append(np.nan if area is None else area)
        ranked = intervals.ranking_replicates(probabilities[:, label], labels[:, label], resampling)
        spread.append(ranked[0])
    any_label = LABELS.index("any")
    losses = metrics.challenge_losses(probabilities, labels)
    # NaN passes through the mean: a macro average over six labels is over six, or not defined.
    sample = np.array([points[any_label], np.mean(points), losses.mean()])
    drawn = [spread[any_label], np.mean(spread, axis=0)]
    return sample, np.stack([*drawn, intervals.mean_replicates(losses, resampling)])
