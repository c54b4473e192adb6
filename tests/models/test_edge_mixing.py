"""Weights of edges: the equation edge by edge, and what they must not depend on."""

from __future__ import annotations

import torch
from torch import Tensor

from attractor.energy import Edges
from attractor.models.edge_mixing import TAPS, EdgeMixing

LINKS, KINDS, HEADS, DIM = 5, 3, 2, 6


def mixing() -> EdgeMixing:
    module = EdgeMixing(LINKS, KINDS, HEADS).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module


def two_graphs() -> tuple[Tensor, Tensor, Edges, Tensor]:
    """``links, x, edges, graph``; token 3 sees nobody."""
    edges = Edges.build(torch.tensor([[0, 1, 0, 4], [1, 2, 2, 5]]), 6, self_loops=False)
    x = torch.randn(6, DIM, dtype=torch.float64)
    return torch.randn(edges.count, LINKS, dtype=torch.float64), x, edges, torch.tensor([0, 0, 0, 0, 1, 1])


def test_weights_start_at_1() -> None:
    links, x, edges, graph = two_graphs()
    links[:, :KINDS] = torch.eye(KINDS, dtype=torch.float64)[torch.arange(len(links)) % KINDS]
    weights = EdgeMixing(LINKS, KINDS, HEADS).double()(links, x, edges, graph)
    assert torch.equal(weights, torch.ones(edges.count, HEADS, dtype=torch.float64))


def test_weights_are_the_equation_of_every_edge() -> None:
    module, (links, x, edges, graph) = mixing(), two_graphs()
    ends = list(zip(edges.targets().tolist(), edges.indices.tolist(), strict=True))
    c = {(C, B): x[C] @ x[B] / DIM for C, B in ends}

    def mean(pairs: list[tuple[int, int]]) -> Tensor:
        return torch.stack([c[pair] for pair in pairs]).mean()

    for e, (C, B) in enumerate(ends):
        row, column = [p for p in ends if p[0] == C], [p for p in ends if p[1] == B]
        together = [p for p in ends if graph[p[0]] == graph[C]]
        taps = torch.stack([c[C, B], mean(row), mean(column), mean(together)])
        expected = (links[e] @ module.a) * (1 + taps @ module.k)
        torch.testing.assert_close(module(links, x, edges, graph)[e], expected)
    assert len(taps) == TAPS


def test_other_graphs_change_nothing() -> None:
    module, (links, x, edges, graph) = mixing(), two_graphs()
    weights = module(links, x, edges, graph)
    x[4:] = torch.randn(2, DIM, dtype=torch.float64)
    first = graph[edges.targets()] == 0
    changed = module(links, x, edges, graph)
    assert torch.equal(changed[first], weights[first]) and not torch.equal(changed[~first], weights[~first])


def test_derivatives_are_those_of_the_weights() -> None:
    module, (links, x, edges, graph) = mixing(), two_graphs()
    assert torch.autograd.gradcheck(
        lambda a, b: module(a, b, edges, graph), (links.requires_grad_(), x.requires_grad_())
    )
