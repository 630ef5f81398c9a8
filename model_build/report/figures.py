"""Figures: the drawings of the report, each a data URI that the page embeds.

Line drawings are SVG with real text; every network keeps its colour and dash in all of them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from model_build.report.run_folder import Run
from model_build.scores import Scores
from service.types import LABELS

# Okabe and Ito: told apart with any colour vision; the dashes tell the rest.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES: tuple[Any, ...] = ("-", "--", ":")
ROC_POINTS = 150  # per curve and label; more would only make the page heavier
CURVE_POINTS = 300
STYLE: Any = {  # matplotlib's type lists every key there is
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.size": 8,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.1,
}


def roc(runs: Sequence[Run]) -> str:
    """ROC per label, all networks in each panel, the first drawn thickest. SVG data URI."""

    def panel(axes: Axes, label: int) -> None:
        axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.6)
        for place, run in reversed(list(enumerate(runs))):
            found = _roc(run.scores, label)
            if found is not None:
                axes.plot(*found, **_line(place), linewidth=2.0 if place == 0 else 1.0)
        axes.set(xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")

    return _labels_figure(panel, [run.name for run in runs])


def reliability(run: Run) -> str:
    """Observed share against mean probability, with intervals, per label. SVG data URI."""
    curves = run.curves_of("reliability")

    def panel(axes: Axes, label: int) -> None:
        axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.6)
        _with_intervals(axes, curves.get(LABELS[label]), COLOURS[1])
        axes.set(xlabel="mean probability", ylabel="observed share", aspect="equal")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))

    return _labels_figure(panel, [])


def lesion_curves(run: Run) -> str | None:
    """Sensitivity by lesion volume, contrast and the like, a panel per kind. SVG data URI.

    None where the evaluation has no such curves (data without known lesions).
    """
    kinds = [kind for kind in _kinds(run) if kind.startswith("sensitivity")]
    if not kinds:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.1 * len(kinds), 2.9), layout="constrained")
        for axes, kind in zip(
            figure.subplots(1, len(kinds), squeeze=False).flat, kinds, strict=True
        ):
            for place, (label, curve) in enumerate(run.curves_of(kind).items()):
                _with_intervals(axes, curve, COLOURS[place % len(COLOURS)], label)
            axes.set(title=kind.replace("_", " "), ylabel="sensitivity", ylim=(-0.02, 1.02))
            axes.set_xscale("log" if "volume" in kind else "linear")
            axes.legend(fontsize=6, frameon=False)
        return _svg(figure)


def risk_curves(run: Run) -> str | None:
    """Share of wrong calls of `any` among the surest slices, a line per signal. SVG data URI.

    None where the evaluation has no such curves.
    """
    prefix = "risk by coverage, "
    kinds = [kind for kind in _kinds(run) if kind.startswith(prefix)]
    if not kinds:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.9), layout="constrained")
        axes = figure.subplots()
        for place, kind in enumerate(kinds):
            curve = run.curves_of(kind)["any"]
            name, colour = kind.removeprefix(prefix), COLOURS[place % len(COLOURS)]
            _with_intervals(axes, curve, colour, name)
        axes.set(xlabel="share of slices answered", ylabel="wrong calls of any", xlim=(0, 1.02))
        axes.legend(fontsize=6, frameon=False)
        return _svg(figure)


def training_curves(runs: Sequence[Run]) -> str:
    """Loss of every network along its training, stages one after the other. SVG data URI."""
    columns = min(4, len(runs))
    rows = -(-len(runs) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * columns, 1.9 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(runs) :]:
            axes.set_axis_off()
        for axes, run in zip(grid.flat, runs, strict=False):
            _training_panel(axes, run)
        return _svg(figure)


def _kinds(run: Run) -> list[str]:
    """The kinds of curves in an evaluation, each once."""
    return list(dict.fromkeys(str(one["kind"]) for one in run.evaluation.get("curves", ())))


def _with_intervals(
    axes: Axes, curve: Mapping[str, Any] | None, colour: str, name: str = ""
) -> None:
    """Draw a curve of the evaluation with bars where it has intervals; nothing for None."""
    if curve is None:
        axes.text(0.5, 0.5, "not evaluated", ha="center", color="#5a6270")
        return
    x, y, low, high = (np.array(curve[key], dtype=float) for key in ("x", "y", "low", "high"))
    axes.plot(x, y, color=colour, marker="o", markersize=3, label=name)
    axes.vlines(x, low, high, color=colour, linewidth=0.7, alpha=0.6)


def _training_panel(axes: Axes, run: Run) -> None:
    offset, stages = 0, list(dict.fromkeys(curve.stage for curve in run.curves))
    for place, stage in enumerate(stages):
        last = 0
        for curve in (curve for curve in run.curves if curve.stage == stage):
            if curve.name not in ("loss", "val_loss"):
                continue
            held_out = curve.name == "val_loss"
            kept = _thinned(len(curve.steps), CURVE_POINTS)
            steps, values = np.array(curve.steps)[kept] + offset, np.array(curve.values)[kept]
            name = f"{stage}, validation" if held_out else stage
            mark = "." if held_out or len(kept) < 3 else ""
            dash, colour = "--" if held_out else "-", COLOURS[1 + place % (len(COLOURS) - 1)]
            axes.plot(steps, values, dash, color=colour, label=name, marker=mark)
            last = max(last, *curve.steps)
        offset += last
    axes.set(title=run.name, xlabel="step", ylabel="loss")
    axes.legend(fontsize=6, frameon=False)


def _labels_figure(panel: Callable[[Axes, int], None], names: Sequence[str]) -> str:
    """Six panels, one per label, with one legend of the networks below."""
    with mpl.rc_context(STYLE):
        height = 5.2 + 0.2 * (-(-len(names) // 4))
        figure = Figure(figsize=(8.2, height), layout="constrained")
        for index, axes in enumerate(figure.subplots(2, 3).flat):
            panel(axes, index)
            axes.set_title(LABELS[index])
        lines = [mpl.lines.Line2D([], [], **_line(place)) for place in range(len(names))]
        if names:
            figure.legend(lines, names, loc="outside lower center", ncols=4, frameon=False)
        return _svg(figure)


def _roc(scores: Scores, label: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]] | None:
    """False and true positive rates, thinned; None where a class is absent."""
    truth = scores.labels[:, label]
    if truth.min() == truth.max():
        return None
    false, true, _ = roc_curve(truth, scores.probabilities[:, label])
    kept = _thinned(len(false), ROC_POINTS)
    return false[kept], true[kept]


def _thinned(count: int, most: int) -> npt.NDArray[np.intp]:
    """At most `most` of `count` indices, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _line(place: int) -> dict[str, Any]:
    """Colour and dash of the network at this place of the report."""
    dash = DASHES[place // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": dash}


def _svg(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(stream.getvalue()).decode()}"
