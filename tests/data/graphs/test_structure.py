"""Where nodes are in their graph, beside powers and eigenvectors of dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from attractor.data.graphs import structure
from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.structure import eigenvectors, walks
from random_graphs import random_graphs, renumbered, renumbering

SIZES = (7, 1, 12, 5)


def normalised(graphs: GraphSet) -> Tensor:
    """``D^-1/2 A D^-1/2`` of all graphs at once."""
    n = len(graphs.x)
    adjacency = torch.zeros(n, n, dtype=torch.float64)
    adjacency[graphs.edge_index[1], graphs.edge_index[0]] = 1
    scale = adjacency.sum(dim=1).clamp(min=1).rsqrt()
    return scale.unsqueeze(1) * adjacency * scale


def connected(n: int = 9, seed: int = 1) -> GraphSet:
    """One graph, a path with chords, whose eigenvalues are all different."""
    path = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    chords = torch.randint(n, (2, n // 2), generator=torch.Generator().manual_seed(seed))
    return GraphSet.build(torch.tensor([n]), torch.cat([path, chords], dim=1))


def cleared() -> None:
    structure._walks.cache_clear()
    structure._eigenvectors.cache_clear()


def test_walks_are_powers_of_the_dense_matrix() -> None:
    graphs, steps = random_graphs(SIZES), 5
    nodes, edges = walks(graphs, steps)
    assert nodes.dtype == edges.dtype == torch.float32
    source, target = graphs.edge_index
    power = torch.eye(len(graphs.x), dtype=torch.float64)
    for t in range(steps):
        power = power @ normalised(graphs)
        torch.testing.assert_close(nodes[:, t], power.diagonal().float())
        torch.testing.assert_close(edges[:, t], power[target, source].float())


def test_walks_back_are_probabilities_and_those_along_edges_the_same_both_ways() -> None:
    graphs = random_graphs(SIZES)
    nodes, edges = walks(graphs, 4)
    assert (nodes >= 0).all() and (nodes <= 1 + 1e-6).all() and not nodes[:, 0].any()
    mirrored = (graphs.edge_index[0] * len(graphs.x) + graphs.edge_index[1]).argsort()
    torch.testing.assert_close(edges, edges[mirrored])


def test_walks_move_along_with_the_nodes() -> None:
    graphs = random_graphs(SIZES)
    number = renumbering(graphs)
    torch.testing.assert_close(walks(renumbered(graphs, number), 4)[0][number], walks(graphs, 4)[0])


def test_blocks_of_columns_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = random_graphs(SIZES)
    whole = walks(graphs, 4)
    cleared()
    monkeypatch.setattr(structure, "COLUMNS", 3)
    torch.testing.assert_close(walks(graphs, 4), whole)
    cleared()


def laplacian_vectors(graphs: GraphSet, count: int) -> Tensor:
    laplacian = np.eye(len(graphs.x)) - normalised(graphs).numpy()
    return torch.from_numpy(np.linalg.eigh(laplacian)[1][:, 1 : count + 1]).float()


@pytest.mark.parametrize("dense", [True, False])
def test_eigenvectors_are_those_of_numpy_but_for_their_signs(monkeypatch: pytest.MonkeyPatch, dense: bool) -> None:
    cleared()
    monkeypatch.setattr(structure, "DENSE", 1024 if dense else 4)
    graphs = connected()
    found, expected = eigenvectors(graphs, 4), laplacian_vectors(graphs, 4)
    signs = (found * expected).sum(dim=0).sign()
    torch.testing.assert_close(found * signs, expected, atol=1e-5, rtol=1e-5)
    cleared()


def test_the_sparse_solver_takes_any_graph_and_repeats_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "DENSE", 4)
    ring = torch.stack([torch.arange(30), (torch.arange(30) + 1) % 30])  # eigenvalues in pairs, ones an eigenvector
    for index in (ring, ring[:, :1], ring[:, :0]):
        graphs = GraphSet.build(torch.tensor([30]), index)
        cleared()
        first = eigenvectors(graphs, 4).double()
        eigenvalues = 1 - torch.linalg.eigvalsh(normalised(graphs)).flip(0)[1:5]
        torch.testing.assert_close(first.T @ first, torch.eye(4, dtype=torch.float64), atol=1e-5, rtol=0)
        error = first - normalised(graphs) @ first - first * eigenvalues
        assert error.abs().max() < 1e-5
    cleared()
    graphs = GraphSet.build(torch.tensor([30]), ring)
    first = eigenvectors(graphs, 4)
    cleared()
    assert torch.equal(eigenvectors(graphs, 4), first)
    cleared()


def test_isolated_nodes_are_finite_and_what_is_missing_is_0() -> None:
    graphs = GraphSet.build(torch.tensor([5, 1, 2]), torch.tensor([[0, 6], [1, 7]]))
    vectors = eigenvectors(graphs, 4)
    assert vectors.shape == (8, 4) and vectors.isfinite().all()
    assert vectors[:5].any(dim=0).all() and not vectors[5].any()
    assert vectors[6:, 0].all() and not vectors[6:, 1:].any()
    nodes, _ = walks(graphs, 3)
    assert nodes.isfinite().all() and not nodes[5].any()
    assert eigenvectors(graphs, 0).shape == (8, 0)


def test_a_graph_is_looked_at_once() -> None:
    (n, index), *_ = structure._each(connected())
    assert structure._walks(n, index, 3) is structure._walks(n, index, 3)
    assert structure._eigenvectors(n, index, 3) is structure._eigenvectors(n, index, 3)


def test_what_is_remembered_is_counted_in_bytes() -> None:
    cleared()
    graphs = random_graphs(SIZES)
    nodes, edges = walks(graphs, 4)
    vectors = eigenvectors(graphs, 3)
    assert structure._walks.cache.currsize == nodes.nbytes + edges.nbytes
    assert structure._eigenvectors.cache.currsize == vectors.nbytes
    assert structure._walks.cache.maxsize == structure.REMEMBERED
