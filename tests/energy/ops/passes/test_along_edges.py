"""Graphs side by side in one pass: the numbers and derivatives of the operators along edges, however they are cut."""

from __future__ import annotations

import pytest
import torch
from agreeing import assert_close, assert_same_further_gradients, assert_same_gradients
from torch import Tensor

from attractor.energy import Context, Edges, EnergyAttention
from attractor.energy.ops.passes import along_edges as module
from attractor.energy.ops.passes.along_edges import AlongEdges
from attractor.energy.ops.passes.passed import passed
from many_threads import cut_for_two_threads

DIM, WIDTH = 32, 16


def graphs(*sizes: int, directed: bool = False) -> Edges:
    """Random graphs one after another; the first token of each sees nobody and is seen by nobody."""
    pairs, start = [], 0
    for n in sizes:
        pairs.append(torch.randint(start + min(1, n - 1), start + n, (2, 3 * n)))
        start += n
    return Edges.build(torch.cat(pairs, dim=1), start, directed=directed, self_loops=False)


def operands(edges: Edges, heads: int) -> list[Tensor]:
    """Tokens, weights, mixing into and back, weights of edges."""
    g, w = torch.randn(edges.nodes, DIM), torch.randn(2, heads, WIDTH, DIM) / DIM**0.5
    into, back = torch.eye(heads) + 0.2 * torch.randn(2, heads, heads)
    return [t.clone().requires_grad_() for t in (g, w, into, back, torch.rand(edges.count, heads) + 0.5)]


@pytest.mark.parametrize("heads", [1, 3, 16, 17])
@pytest.mark.parametrize("directed", [False, True])
def test_equals_the_operators_with_its_gradients(directed: bool, heads: int) -> None:
    edges = graphs(1, 40, 7, 96, 3, 120, 2, directed=directed)
    assert_same_gradients(AlongEdges(edges, energy=True), operands(edges, heads))


def test_further_derivatives_are_those_of_the_operators() -> None:
    edges = graphs(9, 5)
    work, given = AlongEdges(edges, energy=True), operands(edges, 2)
    assert_same_further_gradients(work, given, lambda results: sum(t.square().mean() for t in results))


def test_without_gradients_or_energy_nothing_is_kept_of_them() -> None:
    edges = graphs(9, 5)
    given = [t.detach() for t in operands(edges, 2)]
    lse, force = passed(AlongEdges(edges, energy=False), *given)
    assert lse.numel() == 0
    assert_close([force], AlongEdges(edges, energy=True).plain(*given)[1:])
    assert AlongEdges(edges, energy=False).results(*given, keep=False)[1][0].numel() == 0


@pytest.mark.parametrize("own", [True, False])
def test_threads_share_the_pieces(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    edges = graphs(*[50] * 9)
    given, work = operands(edges, 2), AlongEdges(edges, energy=True)
    alone = passed(work, *given)
    gradients = torch.autograd.grad(alone[1].square().sum(), given)
    cut_for_two_threads(monkeypatch, own)
    shared = passed(work, *given)
    assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))
    assert_close(torch.autograd.grad(shared[1].square().sum(), given), gradients)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_a_number_stays_in_its_graph(bad: float) -> None:
    edges = Edges.build(torch.tensor([[0, 1, 3, 4], [1, 2, 4, 5]]), 6)
    given = [t.detach() for t in operands(edges, 2)]
    given[0][1, 5] = bad
    lse, force = passed(AlongEdges(edges, energy=True), *given)
    assert not lse[1].isfinite().any() and not force[1].isfinite().any()
    assert lse[3:].isfinite().all() and force[3:].isfinite().all()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this processor for one with the vectors."""
    monkeypatch.setattr(module, "FAST", True)


def test_takes_what_it_can_hold(fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    edges = graphs(9, 90)
    g, w, weights = torch.zeros(99, DIM), torch.zeros(2, 3, WIDTH, DIM), torch.ones(1, 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert AlongEdges.takes(g, w, weights, edges)
    assert not AlongEdges.takes(g, w, weights, graphs(9))  # one piece, which would keep one thread busy
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert AlongEdges.takes(g, w, weights, edges)
    assert not AlongEdges.takes(g.double(), w, weights, edges)
    assert not AlongEdges.takes(g, w.bfloat16(), weights, edges)
    assert not AlongEdges.takes(g, w, weights.double(), edges)
    assert not AlongEdges.takes(g, w[:, :, :9], weights, edges)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not AlongEdges.takes(g, w, weights, edges)
    monkeypatch.setattr(module, "LARGEST", 50)
    assert not AlongEdges.takes(g, w, weights, edges)
    monkeypatch.setattr(module, "LARGEST", 512)
    monkeypatch.setattr(module, "FAST", False)
    assert not AlongEdges.takes(g, w, weights, edges)


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("weighed", ["heads", "edges", "not"])
def test_the_energy_takes_it_and_remains_what_it_is(
    weighed: str, mixed: bool, fast: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = graphs(60, 60, 60)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    attention = EnergyAttention(DIM, 3, WIDTH, learn_beta=True, mix_heads=mixed)
    for parameter in attention.parameters():
        torch.nn.init.uniform_(parameter, 0.1, 0.4)
    columns = {"heads": 3, "edges": 1}.get(weighed)
    weights = None if columns is None else (torch.rand(edges.count, columns) + 0.5).requires_grad_()
    context = Context(edges=(edges,), weights=weights)
    g = torch.randn(1, edges.nodes, DIM, requires_grad=True)
    leaves = [g, *attention.parameters(), *([] if weights is None else [weights])]
    found, used, results = [], [], AlongEdges.results
    monkeypatch.setattr(AlongEdges, "results", lambda *given, keep: used.append(given) or results(*given, keep=keep))
    for on in (True, False):
        monkeypatch.setattr(module, "FAST", on)
        (energy, force), again = attention.evaluate(g, context), attention.force(g, context)
        loss = energy.sum() + (force + again).square().sum()
        found.append([energy, force, again, *torch.autograd.grad(loss, leaves)])
    assert len(used) == 2
    assert_close(*found)
