"""Graphs side by side: which token is what, and of which graph."""

from __future__ import annotations

import torch

from attractor.energy import Edges
from attractor.models import GraphBatch

SIZES = torch.tensor([3, 1, 2])  # nodes; every graph has a reader before them


def batch() -> GraphBatch:
    edges = Edges.build(torch.tensor([[0, 0, 0, 4, 6, 6], [1, 2, 3, 5, 7, 8]]), 9, self_loops=False)
    ptr = torch.tensor([0, 4, 6, 9])
    return GraphBatch(torch.randn(9, 2), torch.randn(9, 3), torch.randn(9, 1), edges, torch.randn(12, 4), ptr)


def test_readers_come_before_the_nodes_of_their_graph() -> None:
    graphs = batch()
    assert graphs.readers.tolist() == [0, 4, 6]
    assert graphs.graph.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2]
    assert (~graphs.is_node).nonzero().flatten().tolist() == [0, 4, 6]


def test_the_mean_is_over_nodes_without_the_reader() -> None:
    graphs, v = batch(), torch.randn(9, 5)
    expected = torch.stack([v[1:4].mean(0), v[5], v[7:9].mean(0)])
    torch.testing.assert_close(graphs.mean_over_nodes(v), expected)


def test_all_of_it_moves() -> None:
    graphs = batch().to("meta")
    parts = (graphs.x, graphs.positions, graphs.eigenvectors, graphs.edges.indices, graphs.links, graphs.ptr)
    assert {t.device.type for t in parts} == {"meta"} == {graphs.graph.device.type, graphs.is_node.device.type}
