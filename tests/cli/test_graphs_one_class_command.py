"""The command on whole graphs of which one class is normal: learn that alone, decide about any."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from commands import one_line, run

import tu_writer
from attractor.tasks import GraphAnomalyDetector
from rings import rings_and_paths

GRAPHS = rings_and_paths()
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def detector(rings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "detector"
    done = run("graphs", "fit", rings, "-o", folder, "--normal", 1, "--epochs", 1)
    assert done.returncode == 0, done.stderr
    assert "flags scores above" in done.stdout
    return folder


def test_only_the_normal_class_is_learned_from(detector):
    rings = GRAPHS[GRAPHS.y.codes == 1]
    again = GraphAnomalyDetector(epochs=1).fit(rings)
    loaded = GraphAnomalyDetector.load(detector)
    np.testing.assert_array_equal(loaded.decision_function(GRAPHS), again.decision_function(GRAPHS))
    files = sorted(path.name for path in detector.iterdir())
    assert files == ["calibration.json", "config.json", "model.safetensors"]


def test_of_a_detector_every_graph_is_a_row_with_its_decision(detector, rings, tmp_path):
    loaded = GraphAnomalyDetector.load(detector)
    scores = loaded.decision_function(GRAPHS)
    answer = json.loads(run("graphs", "score", detector, rings, "--json", "--csv", tmp_path / "odd.csv").stdout)
    np.testing.assert_allclose([row["score"] for row in answer["graphs"]], scores)
    np.testing.assert_allclose([row["p_value"] for row in answer["graphs"]], loaded.calibrator_.p_value(scores))
    flagged = [row["anomalous"] for row in answer["graphs"]]
    assert flagged == (scores > answer["threshold"]).tolist() and sum(flagged) == answer["anomalous"]
    written = list(csv.DictReader((tmp_path / "odd.csv").open()))
    assert [row["anomalous"] for row in written] == ["yes" if odd else "no" for odd in flagged]
    printed = list(csv.DictReader(run("graphs", "score", detector, rings).stdout.splitlines()))
    assert [row["anomalous"] for row in printed] == ["yes" if odd else "no" for odd in flagged]


def test_inspect_shows_the_detector(detector):
    answer = json.loads(run("inspect", detector, "--json").stdout)
    assert answer["detector"]["epochs"] == 1 and answer["calibration"]["graphs"] == answer["split"]["validation"] > 0
    assert answer["calibration"]["threshold"] == GraphAnomalyDetector.load(detector).threshold_


def test_graphs_of_another_kind_get_one_line(detector, tmp_path):
    texts = {what: text for what, text in tu_writer.texts(GRAPHS).items() if what in ("A", "graph_indicator")}
    bare = tu_writer.archive(tmp_path / "BARE.zip", texts, "BARE")
    one_line(run("graphs", "score", detector, bare), "not 1 as fitted on")
