"""Sets joined and taken apart again are the sets they were."""

import networkx as nx
import pytest
import torch

from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.joining import join
from attractor.data.graphs.set_reading import as_graph_set
from attractor.errors import InputError


def drawn(kinds: str, y: list[int] | None) -> GraphSet:
    graphs = [nx.gnp_random_graph(n, 0.5, seed=n) for n in (4, 6, 5)]
    for graph in graphs:
        nx.set_node_attributes(graph, {i: kinds[i % len(kinds)] for i in graph}, "kind")
        nx.set_edge_attributes(graph, {edge: float(sum(edge)) for edge in graph.edges}, "weight")
    return as_graph_set(graphs, y)


def test_the_parts_are_in_the_whole() -> None:
    parts = [drawn("CO", [1, 2, 1]), drawn("NCH", [7, 2, 7]), drawn("C", None)]
    whole = join(parts, "all")
    assert whole.name == "all" and whole.y.values == (1, 2, 7) and whole.node_labels[0].values == ("C", "H", "N", "O")
    assert whole.y.codes.tolist() == [0, 1, 0, 2, 1, 2, -1, -1, -1]
    for i, part in enumerate(parts):
        found = whole[range(3 * i, 3 * i + 3)]
        for key in ("ptr", "edge_index", "x", "edge_attr"):
            assert torch.equal(getattr(found, key), getattr(part, key)), key
        ours, own = found.node_labels[0], part.node_labels[0]
        assert ours.named() == own.named()


def test_a_joined_set_is_in_the_order_that_building_gives() -> None:
    parts = [drawn("CO", None), drawn("CO", None)]
    whole = join(parts, "all")
    mixed = torch.randperm(whole.edge_index.shape[1])
    built = GraphSet.build(whole.sizes, whole.edge_index[:, mixed], edge_attr=whole.edge_attr[mixed])
    assert torch.equal(built.edge_index, whole.edge_index) and torch.equal(built.edge_attr, whole.edge_attr)
    assert whole.y is None


def test_sets_that_differ_in_what_they_hold() -> None:
    for sets in ([], [drawn("C", None), as_graph_set([nx.path_graph(2)])]):
        with pytest.raises(InputError, match="mine: sets of different"):
            join(sets, "mine")
