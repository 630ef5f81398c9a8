"""External: a folder of DICOM slices with labels, scored by a network whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model_build import export, external
from model_build.external_report import ExternalReport, Predicted, summarise
from service.types import LABELS
from tests.factories import DROP, INTERCEPT, head_hu, make_ct_slice
from tests.service.fakes import make_manifest

POSITIVE = (0, 1, 2, 5)  # of eight slices; epidural, so that the other subtypes have one class


class BrightSquare(nn.Module):
    """Logits are the HU of one voxel, over a hundred, the same for all six labels."""

    def forward(self, voxels: Tensor, default: Tensor) -> Tensor:
        """(B, 512, 512) and (B, 2) -> (B, 6)."""
        return (voxels[:, 256, 256].float() / 100 + 0 * default[:, 0]).unsqueeze(1).repeat(1, 6)


def slice_file(seed: int, **fields: Any) -> bytes:
    """A slice whose central voxel says how sure the network will be; two slices per patient."""
    stored = head_hu(512, seed).astype(np.int32) - INTERCEPT
    stored[256, 256] = (80 if seed in POSITIVE else 10) + seed - INTERCEPT
    given = {"PatientID": f"P{seed // 2}", "SeriesInstanceUID": f"ID_series{seed // 2}"}
    return make_ct_slice(pixels=stored.astype(np.uint16), seed=seed, **(given | fields))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight slices in the challenge's naming; the model is the bright square."""
    folder = tmp_path / "slices"
    folder.mkdir()
    for seed in range(8):
        (folder / f"ID_{seed:09x}.dcm").write_bytes(slice_file(seed))
    manifest = make_manifest(network={"name": "conv_lstm"}, thresholds=(0.6,) * 6)
    monkeypatch.setattr(export, "load_folder", lambda _: (manifest, BrightSquare()))
    return folder


def labels(root: Path, *, wide: bool = False, more: tuple[str, ...] = ()) -> Path:
    """The label table beside the folder, in one of the two layouts, in reverse order."""
    path = root.parent / "labels.csv"
    rows = {f"ID_{seed:09x}": int(seed in POSITIVE) for seed in reversed(range(8))}
    rows |= dict.fromkeys(more, 0)
    if wide:
        lines = ["Image," + ",".join(LABELS)]
        lines += [f"{name},{value},0,0,0,0,{value}" for name, value in rows.items()]
    else:
        lines = ["ID,Label"]
        for name, value in rows.items():
            six = dict.fromkeys(LABELS, 0) | {"epidural": value, "any": value}
            lines += [f"{name}_{label},{six[label]}" for label in LABELS]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def evaluated(root: Path, table: Path, **options: Any) -> ExternalReport:
    """The external report, without a bar and with few replicates."""
    return external.evaluate_external(
        root, table, str(root), out=root.parent / "out", replicates=50, progress=False, **options
    )


@pytest.mark.parametrize("wide", [False, True], ids=["long", "wide"])
def test_either_label_layout_gives_the_known_figures(
    root: Path, wide: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """All positives are brighter: AUROC 1; p >= 0.6 needs 41 HU: all called, nothing else."""
    report = evaluated(root, labels(root, wide=wide))
    assert report.counts == {"labelled": 8, "scored": 8}
    figures = report.at_slices.discrimination.row("epidural").figures
    assert figures["auroc"].value == 1.0
    rates = report.at_slices.at_thresholds.row("any").figures
    assert (rates["sensitivity"].value, rates["specificity"].value) == (1.0, 1.0)
    assert (report.group, report.at_slices.patients) == ("patient", 4)
    # Series 0 and 1 hold positives 0 1 and 2, series 2 holds 5, series 3 none.
    row = report.at_series.row("any")
    assert (row.positives, row.figures["max_auroc"].value) == (3, 1.0)
    printed = capsys.readouterr().out
    assert "not a medical device" in printed
    assert "synthetic images only" in printed


def test_a_label_of_one_class_is_undefined(root: Path) -> None:
    """No slice is subdural: null in the JSON, a dash in the text, no error."""
    report = evaluated(root, labels(root))
    assert report.at_slices.discrimination.row("subdural").figures["auroc"].value is None
    data = json.loads((root.parent / "out" / external.JSON_FILE).read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in data["at_slices"]["discrimination"]["rows"]}
    assert rows["subdural"]["figures"]["auroc"]["value"] is None
    assert "not a medical device" in data["notice"]


def test_what_is_left_out_is_counted(root: Path) -> None:
    """A refused slice by its code, a label without a file, a file without a label."""
    (root / "ID_000000003.dcm").write_bytes(slice_file(3, Modality="MR"))
    (root / "ID_00000000f.dcm").write_bytes(slice_file(9))
    report = evaluated(root, labels(root, more=("ID_0000000aa",)))
    assert (report.counts["labelled"], report.counts["scored"]) == (8, 7)
    assert report.counts["labelled_without_file"] == 1
    assert report.counts["file_without_label"] == 1
    assert sum(count for name, count in report.counts.items() if "refused" in name) == 1


def test_without_patients_the_series_are_resampled(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One patient for all says nothing: four series are resampled, and it is said."""
    for seed in range(8):
        (root / f"ID_{seed:09x}.dcm").write_bytes(slice_file(seed, PatientID="SAME"))
    report = evaluated(root, labels(root))
    assert (report.group, report.at_slices.patients) == ("series", 4)
    assert "resample each series" in capsys.readouterr().out


def test_with_one_patient_and_one_series_the_slices_are_resampled(root: Path) -> None:
    """Nothing divides them but their names; one series has no AUROC."""
    for seed in range(8):
        same = {"PatientID": DROP, "SeriesInstanceUID": "ID_one"}
        (root / f"ID_{seed:09x}.dcm").write_bytes(slice_file(seed, **same))
    report = evaluated(root, labels(root))
    assert (report.group, report.at_slices.patients) == ("slice", 8)
    assert report.at_series.row("any").figures["max_auroc"].value is None


def test_without_a_series_there_is_no_series_level() -> None:
    """Pictures name none: said in the text, null in the report."""
    keys = {"patient": ("", ""), "series": ("", ""), "slice": ("a", "b")}
    predicted = Predicted(np.eye(2, 6, dtype=np.uint8), np.zeros((2, 6), np.float32), keys)
    report = summarise(predicted, make_manifest(), "kaggle200", {}, replicates=10)
    assert (report.group, report.at_series) == ("slice", None)
    assert "no series" in report.to_text()


def test_nothing_to_score_is_an_error(root: Path) -> None:
    """When the gate refuses every slice, the codes are in the message."""
    for seed in range(8):
        (root / f"ID_{seed:09x}.dcm").write_bytes(slice_file(seed, Modality="MR"))
    with pytest.raises(ValueError, match="no labelled slice could be scored"):
        evaluated(root, labels(root))


def test_learned_series_score_comes_from_the_manifest(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The series model that was frozen with the weights is used; nothing is fitted here."""
    upside_down = {"weights": [[-1.0, 0.0, 0.0]] * 6, "intercepts": [0.0] * 6}
    manifest = make_manifest(
        network={"name": "conv_lstm"}, evaluation={"series_model": upside_down}
    )
    monkeypatch.setattr(export, "load_folder", lambda _: (manifest, BrightSquare()))
    figures = evaluated(root, labels(root)).at_series.row("any").figures
    assert (figures["auroc"].value, figures["max_auroc"].value) == (0.0, 1.0)


def test_batches_do_not_change_the_answer(root: Path) -> None:
    """Eight slices are two batches; logits are in the order of the names."""
    source = external.open_source("rsna", root, labels(root))
    items = source.listing().items
    found = external.predict(BrightSquare(), source, items, external.Counter(), progress=False)
    bright = [(80 if seed in POSITIVE else 10) + seed for seed in range(8)]
    np.testing.assert_allclose(found.logits[:, 0], np.array(bright) / 100)
    assert found.labels[:, 0].tolist() == [int(seed in POSITIVE) for seed in range(8)]
    assert torch.is_inference_mode_enabled() is False
