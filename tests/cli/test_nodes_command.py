"""The command on nodes: fit, score and evaluate as a user meets them, with exit codes and one-line errors."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from commands import one_line, run

from attractor.data.graphs.generated import power_law_graph
from attractor.tasks import NodeAnomalyDetector

GRAPH = power_law_graph(200, 500, 4, anomalies=0.2, seed=1)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "graph.npz"
    np.savez(path, x=GRAPH.x, y=GRAPH.y, edge_index=GRAPH.relations["generated"])
    return path


@pytest.fixture(scope="module")
def fitted(graph, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "detector"
    done = run("nodes", "fit", graph, "-o", folder, "--epochs", 2, "--members", 2)
    assert done.returncode == 0, done.stderr
    assert "nodes for validation" in done.stderr and "highest macro-F1" in done.stdout
    return folder


def test_fit_leaves_three_files_and_no_pickle(fitted):
    assert sorted(path.name for path in fitted.iterdir()) == ["calibration.json", "config.json", "model.safetensors"]


def test_every_node_is_a_row_and_the_file_has_all_of_them(fitted, graph, tmp_path):
    table = tmp_path / "scores.csv"
    done = run("nodes", "score", fitted, graph, "--csv", table, "--top", 5)
    assert done.returncode == 0, done.stderr
    scores = NodeAnomalyDetector.load(fitted).decision_function(GRAPH)
    written = list(csv.DictReader(table.open()))
    assert [int(row["node"]) for row in written] == list(range(200))
    np.testing.assert_allclose([float(row["score"]) for row in written], scores, rtol=1e-5)
    printed = list(csv.DictReader(done.stdout.splitlines()))
    assert [int(row["node"]) for row in printed] == (-scores).argsort(kind="stable")[:5].tolist()
    assert set(printed[0]) == {"node", "score", "p_value", "anomalous"}
    assert len(run("nodes", "score", fitted, graph).stdout.splitlines()) == 201


def test_json_says_what_the_csv_says(fitted, graph):
    answer = json.loads(run("nodes", "score", fitted, graph, "--json").stdout)
    flagged = [node["anomalous"] for node in answer["nodes"]]
    assert len(flagged) == 200 and sum(flagged) == answer["anomalous"]
    assert flagged == [node["score"] > answer["threshold"] for node in answer["nodes"]]
    top = json.loads(run("nodes", "score", fitted, graph, "--json", "--top", 3).stdout)["nodes"]
    assert top == sorted(answer["nodes"], key=lambda node: -node["score"])[:3]


def test_without_labels_decisions_are_at_a_rate(graph, tmp_path):
    done = run("nodes", "fit", graph, "-o", tmp_path, "--epochs", 1, "--unlabelled", "--false-alarm-rate", 0.1)
    assert done.returncode == 0, done.stderr
    assert "at most 8.82 % of normal nodes" in done.stdout  # 6 of the 67 held out and one more
    loaded = NodeAnomalyDetector.load(tmp_path)
    assert not loaded.supervised_ and loaded.predict(GRAPH).mean() < 0.3


def test_evaluate_reports_what_the_protocol_wants(graph):
    settings = ("--train-fraction", 0.4, "--seeds", 2, "--epochs", 2)
    answer = json.loads(run("nodes", "evaluate", graph, *settings, "--json").stdout)
    for name in ("auc", "macro_f1", "ap"):
        values = answer[name]["values"]
        assert len(values) == 2 and answer[name]["mean"] == pytest.approx(np.mean(values))
    words = run("nodes", "evaluate", graph, *settings).stdout
    assert f"{answer['auc']['mean']:.4f}" in words and "80 nodes train, 39 validate, 81 test" in words


def test_inspect_shows_the_detector(fitted):
    answer = json.loads(run("inspect", fitted, "--json").stdout)
    assert answer["detector"]["members"] == 2 and answer["supervised"] is True
    assert answer["split"] == {"train": 133, "validation": 67, "test": 0}
    assert answer["threshold"] == NodeAnomalyDetector.load(fitted).threshold_
    assert answer["heads"][0]["head"] == 0 and answer["memories"][0]["count"] > 0


def test_an_interrupted_fit_is_not_trodden_on(graph, tmp_path):
    kept = tmp_path / "member-0" / "checkpoint.pt"
    kept.parent.mkdir()
    kept.write_bytes(b"of a killed run")
    one_line(run("nodes", "fit", graph, "-o", tmp_path, "--epochs", 1), "--resume", "member-0")
    one_line(run("nodes", "fit", graph, "-o", tmp_path, "--epochs", 1, "--resume"), "checkpoint")
    assert kept.read_bytes() == b"of a killed run"


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_a_finished_fit_is_not_trodden_on_either(fitted, graph, resume):
    before = (fitted / "model.safetensors").read_bytes()
    one_line(run("nodes", "fit", graph, "-o", fitted, "--seed", 1, *resume), "holds a finished model; choose another")
    assert (fitted / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("fit", "nowhere.npz", "-o", "OUT"), "nowhere.npz"),
        (("fit", "GRAPH", "-o", "OUT", "--relations", "mixed"), "separate"),
        (("fit", "GRAPH", "-o", "OUT", "--false-alarm-rate", "2"), "false_alarm_rate"),
        (("fit", "tfinance", "-o", "OUT", "--data", "OUT"), "by hand"),
        (("score", "OUT", "GRAPH"), "no such folder"),
        (("evaluate", "GRAPH", "--train-fraction", "1.5"), "train_fraction"),
        (("evaluate", "GRAPH", "--train-fraction", "0.001"), "too few"),
    ],
)
def test_bad_input_gets_one_line(arguments, word, graph, tmp_path):
    places = {"GRAPH": graph, "OUT": tmp_path / "out"}
    one_line(run("nodes", *(places.get(argument, argument) for argument in arguments)), word)


def test_nodes_go_by_their_ids_where_there_are_any(fitted, tmp_path):
    folder = tmp_path / "named"
    folder.mkdir()
    rows = [f"u{n},{','.join(f'{v:.6g}' for v in row)}" for n, row in enumerate(GRAPH.x.tolist())]
    columns = ",".join(f"x{i}" for i in range(GRAPH.x.shape[1]))
    (folder / "nodes.csv").write_text("\n".join([f"id,{columns}", *rows]) + "\n")
    edges = [f"u{a},u{b}" for a, b in GRAPH.relations["generated"].T.tolist()]
    (folder / "edges.csv").write_text("\n".join(["source,target", *edges]) + "\n")
    printed = list(csv.DictReader(run("nodes", "score", fitted, folder, "--top", 3).stdout.splitlines()))
    assert all(row["node"].startswith("u") for row in printed)
    done = run("nodes", "explain", fitted, folder, "u7", "-o", tmp_path / "why", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)[0]
    assert (told["node"], told["name"]) == (7, "u7") and told["neighbours"]
    assert all(n["name"] == f"u{n['node']}" for n in told["neighbours"])
    assert "Node u7" in run("nodes", "explain", fitted, folder, "u7", "-o", tmp_path / "why").stdout
    one_line(run("nodes", "explain", fitted, folder, "7", "-o", tmp_path / "why"), "no node '7'", "ids")
