"""Explaining nodes from the command line."""

import json

import numpy as np
import pytest
import torch
from commands import run

from attractor.tasks import NodeAnomalyDetector


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A detector's folder and its graph's file: node 0 sees 1 to 20, node 59 nobody."""
    folder = tmp_path_factory.mktemp("nodes")
    rng = np.random.default_rng(0)
    x, edges = rng.normal(size=(60, 3)), np.stack([np.arange(1, 21), np.zeros(20, int)])
    np.savez(folder / "graph.npz", x=x, y=np.arange(60) % 3 == 0, edge_index=edges)
    graph = (x, edges, torch.arange(60) % 3 == 0)
    NodeAnomalyDetector(epochs=2, dim=8).fit(graph).save(folder / "detector")
    return folder / "detector", folder / "graph.npz"


def test_a_table_and_a_picture_of_every_node(fitted, tmp_path):
    done = run("nodes", "explain", *fitted, 0, 59, 0, "-o", tmp_path, "--top", 4)
    assert done.returncode == 0, done.stderr
    hub, alone = done.stdout.split("\n\n")
    assert hub.startswith("Node 0: score ") and alone.startswith("Node 59: score ")
    rows = [line.split() for line in hub.splitlines()[1:]]
    assert rows[0][:2] == ["neighbour", "energy"]
    assert len(rows) == 7 and rows[5][:2] == ["16", "others"] and rows[6][0] == "memories"
    energy = float(hub.split("energy ")[1].split(";")[0])
    shares = [float(row[2] if row[1] == "others" else row[1]) for row in rows[1:]]
    assert sum(shares) == pytest.approx(energy, rel=2e-3)
    assert [line.split()[0] for line in alone.splitlines()[1:]] == ["neighbour", "memories"]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["node-0.png", "node-59.png"]
    assert str(tmp_path / "node-59.png") in done.stderr


def test_json_holds_everything(fitted, tmp_path):
    done = run("nodes", "explain", *fitted, 59, "-o", tmp_path, "--json")
    (found,) = json.loads(done.stdout)
    assert found == json.loads((tmp_path / "node-59.json").read_text())
    assert found["node"] == 59 and found["neighbours"] == []
    shares = [memory["energy"] for memory in found["memories"]]
    assert found["energy"] == pytest.approx(sum(shares) + found["other_memories"]["energy"])


def test_a_node_that_is_not_there_is_one_line(fitted, tmp_path):
    done = run("nodes", "explain", *fitted, 60, "-o", tmp_path)
    assert done.returncode == 2
    assert "no node '60'" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
