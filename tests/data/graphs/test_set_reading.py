"""One door for every kind of input, and one clear line where it stays shut."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

import tu_writer
from attractor.data.graphs.set_reading import as_graph_set
from refusals import refusal

PAIR = [nx.path_graph(3), nx.complete_graph(4)]


def refused(said: str, *given: object) -> None:
    with refusal(said):
        as_graph_set(*given)


def test_paths_are_tu_sets(tmp_path: Path) -> None:
    path = tu_writer.archive(tmp_path / "toy.zip", tu_writer.TOY)
    assert as_graph_set(path).name == "TOY" and as_graph_set(str(path), name="mine").name == "mine"
    refused("no such file", tmp_path / "other.zip")
    (tmp_path / "text.zip").write_text("hello")
    refused("text.zip cannot be read", tmp_path / "text.zip")


def test_a_set_stays_as_it_is() -> None:
    graphs = as_graph_set(PAIR, [0, 1], name="pair")
    again = as_graph_set(graphs)
    assert again.name == "pair" and again.edge_index is graphs.edge_index and again.y is graphs.y


@pytest.mark.parametrize(
    ("y", "values", "codes"),
    [
        ([1, -1], (-1, 1), [1, 0]),
        (np.array([2.0, 5.0]), (2, 5), [0, 1]),
        (torch.tensor([[3], [3]]), (3,), [0, 0]),
        (("active", None), ("active",), [0, -1]),
        (np.array(["no", "yes"]), ("no", "yes"), [0, 1]),
        ([True, np.bool_(False)], (0, 1), [1, 0]),
    ],
)
def test_classes_beside_the_graphs_count_before_their_own(
    tmp_path: Path, y: object, values: tuple, codes: list
) -> None:
    path = tu_writer.archive(tmp_path / "toy.zip", tu_writer.TOY)
    for data in (PAIR, path, as_graph_set(PAIR)):
        found = as_graph_set(data, y).y
        assert found.values == values and found.codes.tolist() == codes
        assert all(type(value) in (int, str) for value in found.values)


def test_classes_that_are_none() -> None:
    refused("the class of graph 1 is 0.5", PAIR, [0, 0.5])
    refused("the class of graph 0 is [1, 2]", PAIR, torch.tensor([[1, 2], [3, 4]]))
    refused("the class of graph 0 is nan", PAIR, [float("nan"), 1])
    refused("classes cannot be a int", PAIR, 1)
    refused("3 classes do not fit 2 graphs", PAIR, [0, 1, 0])
    refused("3 classes do not fit 2 graphs", as_graph_set(PAIR), [0, 1, 0])
    assert as_graph_set(PAIR).y is None and as_graph_set(PAIR, [None, None]).y is None


def test_what_is_no_list_of_graphs() -> None:
    data = pytest.importorskip("torch_geometric.data").Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]]))
    refused("no graphs", [])
    refused("cannot be a int", 3)
    refused("cannot be a NoneType", None)
    refused("graphs is one graph, a Graph; put it in a list", nx.path_graph(3))
    refused("mine is one graph, a Data; put it in a list", data, None, "mine")
    refused("mixes NetworkX and PyG", [nx.path_graph(3), data])
    refused("number 1 is a Tensor, no graph", [data, torch.ones(2)])
    assert len(as_graph_set(graph for graph in PAIR)) == 2
