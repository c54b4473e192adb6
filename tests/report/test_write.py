"""The folder of a report: everything is there, opens, and agrees with the evaluation."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from attractor.report import write_report

FIGURES = {"auroc", "roc", "scores", "reconstructions", "heat_maps"}


@pytest.fixture(scope="module")
def page(evaluation, tmp_path_factory):
    return write_report(evaluation, tmp_path_factory.mktemp("a") / "new" / "report")


def test_a_full_report(evaluation, page):
    folder = page.parent
    expected = {f"{name}.{kind}" for name in FIGURES for kind in ("png", "pdf")}
    assert {p.name for p in folder.iterdir()} == expected | {"index.html", "scores.csv", "metrics.json"}
    for name in FIGURES:
        assert np.ptp(np.asarray(Image.open(folder / f"{name}.png").convert("L"))) > 100
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert page.read_text("utf-8").count("data:image/png") == len(FIGURES)
    assert json.loads((folder / "metrics.json").read_text()) == json.loads(json.dumps(evaluation.summary()))


def test_a_failed_write_keeps_the_old_report_and_no_debris(evaluation, tmp_path, monkeypatch):
    (tmp_path / "auroc.pdf").write_text("old")

    def fail(self, *args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(evaluation, tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("auroc.pdf", "old")]


def test_every_score_is_in_the_table(evaluation, page):
    with (page.parent / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    header = ["path", "label", "category", "score", "p_value", "anomalous", "mahalanobis", "reconstruction"]
    assert list(rows[0]) == header
    assert [row["path"] for row in rows] == evaluation.paths
    for name, scores in evaluation.scores.items():
        np.testing.assert_array_equal([float(row[name]) for row in rows], scores)
    flagged = evaluation.scores["mahalanobis"] > evaluation.threshold
    np.testing.assert_array_equal([int(row["anomalous"]) for row in rows], flagged)


def test_hostile_names_and_little_to_show(evaluation, tmp_path, recwarn):
    hostile = r"<b>$\frac{x}$ \udcff 日本 " + "long " * 20 + "\udcff"
    method = evaluation.scores["mahalanobis"]
    spoiled = replace(
        evaluation,
        title=hostile,
        method=hostile,
        scores={hostile: method},
        metrics={hostile: evaluation.metrics["mahalanobis"]},
        paths=[hostile] * 100,
        categories=[f"{i % 3} {hostile}" for i in range(100)],
        examples=[],
        pixel_metrics=None,
        heat_limits=None,
        threshold=float("inf"),
    )
    page = write_report(spoiled, tmp_path)
    assert "<b>$" not in page.read_text("utf-8")
    assert not (tmp_path / "heat_maps.png").exists()
    assert json.loads((tmp_path / "metrics.json").read_text())["threshold"] is None
    assert [str(w.message) for w in recwarn] == []
