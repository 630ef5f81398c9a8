"""Dashboard: every expression of every panel against the instruments and a real Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from service import metrics
from service.types import Action, Status, Violation
from tests.deploy.archive import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "ich-serve.json"
NAME = re.compile(r"\b(?:ich_[a-z_]+|up)\b")
USE = re.compile(r"\b(ich_[a-z_]+)(?:\{([^}]*)\})?")
BY = re.compile(r"\bby \(([^)]*)\)")
SCRAPE_LABELS = {"job", "instance"}
PANELS = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Labels by sample name, after one of everything was recorded."""
    metrics.record_request("/classify", "http", "ok")
    metrics.record_request("/classify", "http", "queue_full")
    metrics.record_stages(dict.fromkeys(metrics.STAGES, 0.01))
    metrics.record_batch(3)
    metrics.set_queue_depth(0)
    metrics.record_slice(Status.SKIPPED, [Violation("not_ct", Action.SKIP, "Not CT.")])
    metrics.record_decoder_restart()
    metrics.set_model("ich_convlstm", "0.1.0", "abc")
    with metrics.in_flight("http"):
        text = metrics.render()[0].decode()
    return labels_by_sample(list(text_string_to_metric_families(text)))


def labels_by_sample(families: list[Metric]) -> dict[str, set[str]]:
    """Every label that a sample of this name carries."""
    found: dict[str, set[str]] = {}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def faults(expression: str, exposed: dict[str, set[str]]) -> list[str]:
    """Names and labels in an expression that no sample of ours has."""
    used = USE.findall(expression)
    found = [f"no metric {name}" for name, _ in used if name not in exposed]
    offered = set().union(*(exposed.get(name, set()) for name, _ in used)) | SCRAPE_LABELS
    for name, matchers in used:
        wanted = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)
        found += [f"{name} has no {label}" for label in wanted if label not in offered]
    grouped = {label.strip() for group in BY.findall(expression) for label in group.split(",")}
    return found + [f"no label {label}" for label in grouped - offered]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_uses_metrics_and_labels_that_exist(
    expression: str, exposed: dict[str, set[str]]
) -> None:
    """A renamed instrument or label turns its panel's expression red."""
    assert NAME.search(expression)
    assert faults(expression, exposed) == []


@pytest.mark.parametrize(
    "expression",
    [
        "rate(ich_slice_total[1m])",
        'ich_slices_total{state="classified"}',
        "sum by (status) (ich_batch_size_sum)",
    ],
)
def test_wrong_name_or_label_is_found(expression: str, exposed: dict[str, set[str]]) -> None:
    """The check can fail: a wrong metric, matcher or grouping is reported."""
    assert faults(expression, exposed) != []


def test_panels_show_what_operators_ask_for() -> None:
    """Three quantiles by stage, throughput, batches, queue, errors, gate codes, positives."""
    joined = "\n".join(EXPRESSIONS)
    for quantile in ("0.50", "0.95", "0.99"):
        assert f"histogram_quantile({quantile}, sum by (le, stage)" in joined
    for name in ("slices_total", "batch_size", "queue_depth", "gate_total", "positives_total"):
        assert f"ich_{name}" in joined
    assert 'outcome!="ok"' in joined


def test_panels_have_their_own_place_and_the_provisioned_source() -> None:
    """Ids are unique, no two panels overlap, and each asks the data source that is provisioned."""
    source = (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text()
    cells: list[tuple[int, int]] = []
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            cells += [(x, y) for y in range(place["y"], place["y"] + place["h"])]
        if panel["type"] != "row":
            assert f"uid: {panel['datasource']['uid']}\n" in source
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the promtool of the Debian package; skips where it is absent."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("the package prometheus is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30)


def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    """Promtool reads the file as valid, and refuses it with one key misspelt."""
    path = ROOT / "deploy" / "prometheus" / "prometheus.yml"
    assert promtool("check", "config", str(path)).returncode == 0
    broken = tmp_path / "prometheus.yml"
    broken.write_text(path.read_text().replace("scrape_configs", "scrape_configz"))
    assert promtool("check", "config", str(broken)).returncode != 0


def test_exposition_passes_the_linter() -> None:
    """Promtool's lint finds nothing to complain about in our names, types and help texts."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("the package prometheus is not installed")
    lines = metrics.render()[0].splitlines(keepends=True)
    # The process and Python metrics of the client library are not ours to rename.
    ours = b"".join(line for line in lines if b"ich_" in line)
    assert ours.count(b"# TYPE ich_") >= 10
    done = subprocess.run(
        [program, "check", "metrics"], input=ours, capture_output=True, timeout=30
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
