"""Guards: when an answer should be doubted, measured on the test split of a finished training.

outputs of val and test ---> abstention, out-of-distribution gate, window occlusion and trace
a few test slices, altered -> one more pass each -> outliers flagged, change by a wrong window

Limits come from validation, figures from test. What a network cannot tell, because it has no
window logits or no window tokens, is left out of its report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from model_build import abstention, intervals, occlusion, outlier_set, outliers, wrong_window
from model_build.assess import Assessment
from model_build.evaluation_table import Table
from model_build.inference import logits_of
from model_build.outputs import Outputs, outputs_of, unlabelled
from model_build.reliability import Curve
from model_build.slice_set import SliceSet
from service.artifact import calibrated
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network

OUTLIERS_PER_KIND = 15  # of eight kinds: 120 slices to run
ALTERED_SLICES = 60
HEAD_WINDOW = (40.0, 80.0)  # what an outlier says of itself, as a head would

Rows = npt.NDArray[np.intp]
Found = tuple[tuple[Table, ...], tuple[Curve, ...]]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished network and where its slices are.

    Attributes:
        network: in evaluation mode.
        device: that it runs on.
        source: the data set.
        test: rows of the test split in it.
    """

    network: Network
    device: torch.device
    source: SliceSet
    test: Rows


def examine(
    trained: Trained,
    outputs: Mapping[str, Outputs],
    found: Assessment,
    *,
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
) -> Found:
    """Every table and curve of this module.

    Args:
        trained: the network and its test slices.
        outputs: of `val` and `test`, from the pass that gave the logits.
        found: calibration and thresholds, chosen on validation, and the scores of both splits.
        replicates: of the bootstrap.
        seed: of the bootstrap and of the made-up outliers.
    """
    resampling = intervals.draw(found.test.patients, replicates, seed)
    tables, curves = _abstention(outputs, found, resampling)
    tables.append(_outliers(trained, outputs, found, resampling, seed))
    tables.append(_wrong_window(trained, outputs["test"], found))
    here, usual = outputs["test"].features, outputs["val"].features
    if isinstance(trained.network, ConvLstm) and here is not None and usual is not None:
        labels = found.test.labels
        tables += occlusion.tables(trained.network, here, usual.mean(dim=0), labels, resampling)
    return tuple(tables), curves


def spread(rows: Rows, count: int) -> Rows:
    """Places of at most `count` of the rows, evenly spread over them."""
    ends = np.linspace(0, len(rows) - 1, min(count, len(rows)))
    places: Rows = np.unique(ends.round()).astype(np.intp)
    return places


def _abstention(
    outputs: Mapping[str, Outputs], found: Assessment, resampling: intervals.Resampling
) -> tuple[list[Table], tuple[Curve, ...]]:
    both = {
        name: abstention.signals(scores.probabilities, scores.logits, outputs[name].window_logits)
        for name, scores in (("test", found.test), ("val", found.validation))
    }
    calls = abstention.Calls(
        scores=found.test.probabilities[:, abstention.ANY],
        labels=found.test.labels[:, abstention.ANY],
        threshold=found.facts["thresholds"][abstention.ANY],
        prevalence=found.facts["assumed_prevalence"][abstention.ANY],
        resampling=resampling,
    )
    cuts = abstention.limits(both["val"])
    return [abstention.table(both["test"], cuts, calls)], abstention.curves(both["test"], calls)


def _outliers(
    trained: Trained,
    outputs: Mapping[str, Outputs],
    found: Assessment,
    resampling: intervals.Resampling,
    seed: int,
) -> Table:
    gate = outliers.fit(outputs["val"].embedding, found.validation.patients)
    rows = trained.test[spread(trained.test, OUTLIERS_PER_KIND)]
    made = outlier_set.make(np.stack([trained.source.read(row) for row in rows]), seed)
    strange = unlabelled(np.concatenate(list(made.values())), HEAD_WINDOW)
    each = np.arange(len(strange))
    ran = outputs_of(trained.network, strange, each, trained.device, progress=False)
    parts = np.split(ran.embedding, len(made))
    kinds = dict(zip(made, parts, strict=True))
    test = outputs["test"]
    return outliers.table(gate, test.embedding_name, test.embedding, kinds, resampling)


def _wrong_window(trained: Trained, test: Outputs, found: Assessment) -> Table:
    places = spread(trained.test, ALTERED_SLICES)
    windows = trained.source.windows.copy()
    windows[trained.test[places]] = wrong_window.BIZARRE
    altered = replace(trained.source, windows=windows)
    rows = trained.test[places]
    after = logits_of(trained.network, altered, rows, trained.device, progress=False)
    scale: Sequence[Sequence[float]] = found.facts["temperatures"], found.facts["biases"]
    own, bizarre = (calibrated(logits, *scale) for logits in (test.logits[places], after))
    return wrong_window.table(own, bizarre, found.facts["thresholds"])
