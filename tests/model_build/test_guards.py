"""Guards: from a network and its splits to every table, with nothing chosen on test."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model_build import abstention, guards, outliers, wrong_window
from model_build.assess import Assessment, SplitLogits, assess
from model_build.evaluation_table import Table
from model_build.outputs import Outputs, outputs_of
from model_build.slice_set import SliceSet
from service.artifact import parse_manifest
from service.card.page import render
from service.model.cnn_128 import Cnn128
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network
from tests.model_build.phantom_set import slice_set
from tests.service.fakes import make_manifest

CPU = torch.device("cpu")
PARTS = {"val": np.arange(0, 8), "test": np.arange(8, 16)}
Examined = tuple[Assessment, guards.Found]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One slice of each kind is enough here."""
    monkeypatch.setattr(guards, "OUTLIERS_PER_KIND", 1)
    monkeypatch.setattr(guards, "ALTERED_SLICES", 2)


def examined(network: Network) -> Examined:
    """An untrained network, assessed and examined on sixteen slices."""
    source = slice_set(16)
    outputs = {
        name: outputs_of(network, source, rows, CPU, progress=False) for name, rows in PARTS.items()
    }
    found = assess(split(source, outputs, "test"), split(source, outputs, "val"), replicates=20)
    trained = guards.Trained(network, CPU, source, PARTS["test"])
    return found, guards.examine(trained, outputs, found, replicates=20)


def split(source: SliceSet, outputs: dict[str, Outputs], name: str) -> SplitLogits:
    """One split of the set."""
    rows = PARTS[name]
    keys = [[values[row] for row in rows] for values in (source.names, source.patients)]
    series = [source.series[row] for row in rows]
    return SplitLogits(outputs[name].logits, source.labels[rows], *keys, series)


@pytest.fixture(scope="module")
def conv_lstm() -> Examined:
    """The network with every signal."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guards, "OUTLIERS_PER_KIND", 1)
        patch.setattr(guards, "ALTERED_SLICES", 2)
        return examined(ConvLstm(256, window_head=True).eval())


def titled(found: Examined, title: str) -> Table:
    """The table whose title begins so."""
    return next(table for table in found[1][0] if table.title.startswith(title))


def test_conv_lstm_has_every_table(conv_lstm: Examined) -> None:
    """Three signals of doubt, eight kinds of outliers, six labels, ten windows."""
    tables, curves = conv_lstm[1]
    names = [row.name for row in titled(conv_lstm, abstention.TITLE).rows]
    assert names == [
        abstention.NOBODY,
        abstention.ENTROPY,
        abstention.WINDOW_VARIANCE,
        abstention.LSTM_GAP,
    ]
    gate = titled(conv_lstm, outliers.TITLE)
    assert "last LSTM state, 128 numbers" in gate.title
    assert [row.slices for row in gate.rows] == [8, *([1] * 8), 8]
    assert len(titled(conv_lstm, wrong_window.TITLE).rows) == 6
    assert len(tables) == 6
    assert len(curves) == 3


def test_a_network_without_windows_has_what_it_can_tell() -> None:
    """Entropy, the gate, and a default window that it does not read."""
    torch.manual_seed(0)
    found = examined(Cnn128().eval())
    assert [row.name for row in titled(found, abstention.TITLE).rows][1:] == [abstention.ENTROPY]
    assert "input of the last layer, 64 numbers" in titled(found, outliers.TITLE).title
    change = titled(found, wrong_window.TITLE).row("any").figures["largest_change"].value
    assert change == pytest.approx(0.0, abs=1e-6)
    assert len(found[1][0]) == 3


class ReadsWindow(nn.Module):
    """Logits are the centre of the default window over a hundred HU."""

    def forward(self, voxels: Tensor, default: Tensor) -> Tensor:
        """(B, H, W) and (B, 2) -> (B, 6)."""
        return default[:, :1].repeat(1, 6) / 100


def test_a_network_that_trusts_the_window_is_found_out(conv_lstm: Examined) -> None:
    """Centre 40 becomes 1000: p goes from .599 to 1, every call changes."""
    facts = {"temperatures": (1.0,) * 6, "biases": (0.0,) * 6, "thresholds": (0.6,) * 6}
    trained = guards.Trained(ReadsWindow(), CPU, slice_set(16), PARTS["test"])
    own = Outputs(np.full((8, 6), 0.4, np.float32), np.zeros((8, 1), np.float32), "none")
    row = guards._wrong_window(trained, own, replace(conv_lstm[0], facts=facts)).row("any")
    values = [row.figures[name].value for name in wrong_window.COLUMNS]
    expected = 1 / (1 + np.exp(-10.0)) - 1 / (1 + np.exp(-0.4))
    assert values == [pytest.approx(expected, abs=1e-6)] * 2 + [1.0]
    assert row.slices == 2


def test_limits_come_from_validation(conv_lstm: Examined) -> None:
    """The limit of the entropy is the percentile of the validation split."""
    p = conv_lstm[0].validation.probabilities
    cuts = abstention.limits(abstention.signals(p, p))
    row = titled(conv_lstm, abstention.TITLE).row(abstention.ENTROPY)
    assert row.threshold == pytest.approx(cuts[abstention.ENTROPY])


def test_altered_slices_are_spread_over_all() -> None:
    """At most so many, ends included, each once."""
    assert guards.spread(np.arange(100, 200), 3).tolist() == [0, 50, 99]
    assert guards.spread(np.arange(4), 60).tolist() == [0, 1, 2, 3]


def test_report_manifest_and_card_carry_them(conv_lstm: Examined) -> None:
    """Valid JSON, a valid manifest, two lines of the card with the figures of the tables."""
    found, (tables, curves) = conv_lstm
    report = found.report.with_more(*tables, curves=curves)
    kept = json.loads(report.to_json())
    titles = [table["title"] for table in kept["further"]]
    assert set(table.title for table in tables) <= set(titles)
    del kept["curves"]
    manifest = make_manifest(**found.facts, evaluation={"test": kept})
    text = render(parse_manifest(manifest.to_json()))
    assert f"- **Abstention**: by {abstention.ENTROPY}, " in text
    assert "% of 8 outliers" in text
