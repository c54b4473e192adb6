"""Explaining graphs from the command line."""

import json

import pytest
from commands import run

from attractor.tasks import GraphClassifier
from rings import rings_and_paths

GRAPHS = rings_and_paths()
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def fitted(rings, tmp_path_factory):
    """A classifier's folder and its graphs' file."""
    return GraphClassifier(dim=8, blocks=1, epochs=1).fit(GRAPHS).save(tmp_path_factory.mktemp("graphs")), rings


def test_a_table_and_a_picture_of_every_graph(fitted, tmp_path):
    done = run("graphs", "explain", *fitted, 0, 5, 0, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    one, two = done.stdout.split("\n\n")
    assert one.startswith("Graph 0: class ") and two.startswith("Graph 5: class ")
    found = json.loads((tmp_path / "explanations.json").read_text())
    assert [graph["graph"] for graph in found] == [0, 5]
    rows = [line.split() for line in one.splitlines()]
    assert rows[1] == ["node", "evidence", "energy", "attention"]
    edges = sorted(found[0]["edges"], key=lambda edge: -abs(edge["energy"]))[:5]
    ends = [f"{edge['source']}-{edge['target']}" for edge in edges]
    assert [row[0] for row in rows if row[0] in ends] == ends
    evidence = [abs(node["evidence"]) for node in found[0]["nodes"]]
    assert abs(float(rows[2][3])) == pytest.approx(max(evidence), rel=0.01)
    assert rows[-1][0] == "Energy"
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["graph-0.png", "graph-5.png"]
    assert str(tmp_path / "graph-5.png") in done.stderr


def test_json_holds_everything(fitted, tmp_path):
    done = run("graphs", "explain", *fitted, 3, "-o", tmp_path, "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "explanations.json").read_text())
    (found,) = json.loads(done.stdout)
    assert sum(node["energy"] for node in found["nodes"]) + found["reader"] == pytest.approx(found["energy"])


def test_a_graph_that_is_not_there_is_one_line(fitted, tmp_path):
    done = run("graphs", "explain", *fitted, 40, "-o", tmp_path)
    assert done.returncode == 2
    assert "no graph 40" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
