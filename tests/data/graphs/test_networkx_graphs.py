"""NetworkX graphs: what becomes a label, what an attribute, and what cannot become either."""

import networkx as nx
import numpy as np
import pytest
import torch

from attractor.data.graphs.networkx_graphs import from_networkx
from refusals import refusal


def molecule() -> nx.Graph:
    graph = nx.Graph(y="toxic")
    graph.add_node("a", element="C", charge=0, ring=True, place=[0.0, 1.0], mass=12.0)
    graph.add_node("b", element="O", charge=-1, ring=False, place=np.array([2.0, 3.0]), mass=16)
    graph.add_node("c", element="C", charge=np.int64(1), ring=True, place=torch.tensor([4.0, 5.0]), mass=np.float32(13))
    graph.add_edge("b", "a", bond="double", length=1.5)
    graph.add_edge("b", "c", bond="single", length=2.5)
    return graph


def test_text_and_whole_numbers_are_labels_and_floats_are_attributes() -> None:
    graphs = from_networkx([molecule(), nx.relabel_nodes(molecule(), {"a": 5})])
    charge, element, ring = (label.named() for label in graphs.node_labels)
    assert (charge, element, ring) == ([0, -1, 1] * 2, ["C", "O", "C"] * 2, [1, 0, 1] * 2)
    assert graphs.node_labels[0].values == (-1, 0, 1) and graphs.node_labels[2].values == (0, 1)
    assert graphs.x.tolist() == [[12.0, 0.0, 1.0], [16.0, 2.0, 3.0], [13.0, 4.0, 5.0]] * 2  # mass before place
    assert graphs.edge_index.tolist() == [[1, 0, 2, 1, 4, 3, 5, 4], [0, 1, 1, 2, 3, 4, 4, 5]]
    assert graphs.edge_attr.tolist() == [[1.5], [1.5], [2.5], [2.5]] * 2
    assert graphs.edge_labels[0].named() == ["double", "double", "single", "single"] * 2
    assert graphs.y.named() == ["toxic", "toxic"]


def test_a_label_may_be_missing_and_a_number_may_not() -> None:
    graph = nx.path_graph(3)
    graph.nodes[1]["kind"] = "odd"
    assert from_networkx([graph]).node_labels[0].named() == [None, "odd", None]
    graph.edges[0, 1]["weight"] = 0.5
    refused(graph, "edges, 'weight': 1 of 2 have no number")


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_the_other_classes_of_graph(kind: type) -> None:
    graph = kind()
    graph.add_edges_from([(0, 1, {"w": 0.5}), (1, 0, {"w": 0.25}), (2, 2, {"w": 1.0})])
    if graph.is_multigraph():
        graph.add_edge(0, 1, w=7.0)
    graphs = from_networkx([graph])
    assert graphs.sizes.tolist() == [3] and graphs.edge_index.tolist() == [[1, 0], [0, 1]]
    both = [0.5, 0.5] if kind is nx.MultiGraph else [0.25, 0.5]  # into 0, into 1; the first of parallel edges
    assert graphs.edge_attr.flatten().tolist() == both


def test_classes_under_either_name_known_or_not() -> None:
    pair = [nx.path_graph(2), nx.path_graph(2)]
    pair[0].graph["label"] = 3
    assert from_networkx(pair).y.named() == [3, None] and from_networkx(pair[1:]).y is None


@pytest.mark.parametrize(
    "pair",
    [(1.0, "text"), ([1.0], [1.0, 2.0]), ([1.0, 2.0], 3.0), ({"a": 1}, {}), (1 + 2j, 1j), (["a"], ["b"]), (1.5, [])],
)
def test_values_that_do_not_go_together(pair: tuple) -> None:
    graph = nx.path_graph(2)
    nx.set_node_attributes(graph, dict(enumerate(pair)), "mixed")
    refused(graph, "nodes, 'mixed': of the kinds")


def test_graphs_without_nodes_or_with_numbers_that_are_none() -> None:
    refused(nx.Graph(), "graph 0 has no nodes")
    graph = nx.path_graph(2)
    nx.set_node_attributes(graph, float("nan"), "weight")
    refused(graph, "not finite")


def test_what_other_graphs_carried_says_what_is_a_label() -> None:
    known = from_networkx([molecule()])
    graph = nx.Graph()
    graph.add_node("d", element="C", mass=14, place=[6, 7])  # all of them whole, and neither charge nor ring known
    found = from_networkx([graph], carried=known.carried)
    assert found.x.tolist() == [[14.0, 6.0, 7.0]] and found.edge_attr.shape == (0, 1)
    assert [label.named() for label in found.node_labels] == [[None], ["C"], [None]] and len(found.edge_labels) == 1
    assert found.carried == known.carried
    for changes, said in [
        ({"mass": None}, "nodes, 'mass': 1 of 1 have no number"),
        ({"mass": "heavy"}, "nodes, 'mass': of the kinds str"),
        ({"place": [6.0]}, "nodes, 'place': 1 numbers each, not 2 as those fitted on"),
        ({"charge": 0.5}, "nodes, 'charge': not all whole numbers or text"),
        ({"spin": 1}, "nodes carry 'spin', which those fitted on do not"),
    ]:
        other = graph.copy()
        other.nodes["d"].update(changes)
        refused(other, said, known.carried)


def refused(graph: nx.Graph, said: str, carried: tuple | None = None) -> None:
    with refusal(said, match="^mine"):
        from_networkx([graph], name="mine", carried=carried)
