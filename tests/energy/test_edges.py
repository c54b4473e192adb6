"""Edges as they are built, what they refuse, and energy attention along them beside the same graph as a dense mask."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from attractor.energy import Context, Edges, EnergyAttention, EnergySum, HopfieldMemory
from attractor.errors import InputError

BATCH, N, DIM, HEADS = 2, 9, 5, 3
EXACT = {"rtol": 1e-11, "atol": 1e-12}


def dense(edges: Edges) -> Tensor:
    """Who (row) sees whom, bool ``(N, N)``."""
    mask = torch.zeros(edges.nodes, edges.nodes, dtype=torch.bool)
    mask[edges.targets(), edges.indices.long()] = True
    return mask


@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30),
    directed=st.booleans(),
    self_loops=st.booleans(),
    dtype=st.sampled_from([torch.int32, torch.int64]),
)
def test_build_is_the_adjacency(pairs: list[tuple[int, int]], directed: bool, self_loops: bool, dtype: torch.dtype):
    index = torch.tensor(pairs, dtype=dtype).reshape(-1, 2).T  # columns of a row-major list: not contiguous
    edges = Edges.build(index, 7, directed=directed, self_loops=self_loops)
    expected = torch.zeros(7, 7, dtype=torch.bool)
    for source, target in pairs:
        expected[target, source] = True
        expected[source, target] |= not directed
    expected.fill_diagonal_(self_loops)
    assert torch.equal(dense(edges), expected) and torch.equal(dense(edges.transposed), expected.T)
    assert torch.equal(edges.degrees(), expected.sum(1)) and edges.count == expected.sum() and edges.nodes == 7
    for rows in (edges, edges.transposed):
        assert rows.indptr.dtype == torch.int64 and rows.indices.dtype == torch.int32
        keys = rows.targets() * 7 + rows.indices
        assert (keys.diff() > 0).all()  # ascending, each once


def test_a_graph_without_nodes_or_edges() -> None:
    none = torch.zeros(2, 0, dtype=torch.int64)
    assert Edges.build(none, 0).count == 0
    assert Edges.build(none, 3).count == 3 and Edges.build(none, 3, self_loops=False).count == 0


@pytest.mark.parametrize("directed", [False, True])
def test_a_hub_of_a_million_takes_no_longer_than_its_edges(directed: bool) -> None:
    leaves = torch.arange(1, 1_000_001)
    index = torch.stack([torch.cat([leaves, leaves]), torch.zeros(len(leaves) * 2, dtype=torch.int64)])
    start = time.process_time()
    star = Edges.build(index, len(leaves) + 1, directed=directed)
    assert time.process_time() - start < 10  # sorting each row by a quicksort once took 76 s
    assert star.degrees()[0] == len(leaves) + 1 and star.count == (2 - directed) * len(leaves) + star.nodes


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (torch.zeros(2, 3), r"edge_index must be int32 or int64 of shape \(2, edges\), not torch.float32"),
        (torch.zeros(3, 2, dtype=torch.int64), r"edge_index must be .* not torch.int64 of shape \(3, 2\)"),
        (torch.zeros(2, dtype=torch.int64), "edge_index must be"),
        (torch.tensor([[0, 4], [1, 1]]), "edge_index names node 4, but nodes are numbered 0 to 3"),
        (torch.tensor([[0, 1], [-1, 1]]), "edge_index names node -1, but nodes are numbered 0 to 3"),
    ],
)
def test_refuses_what_is_no_edge_index(index: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        Edges.build(index, 4)


@pytest.mark.parametrize("nodes", [-1, 2.5, "4", None])
def test_refuses_what_is_no_number_of_nodes(nodes: Any) -> None:
    with pytest.raises(InputError, match=r"^nodes must be a whole number of 0 or more, not "):
        Edges.build(torch.zeros(2, 0, dtype=torch.int64), nodes)


def test_takes_numpy_s_numbers_but_no_lists() -> None:
    assert Edges.build(torch.tensor([[0], [1]]), np.int64(2)).nodes == 2
    with pytest.raises(InputError, match=r"^edge_index must be a tensor \(2, edges\), not list"):
        Edges.build([[0], [1]], 2)  # type: ignore[arg-type]


def test_refuses_more_nodes_than_an_index_can_name() -> None:
    with pytest.raises(InputError, match="split the graph"):
        Edges.build(torch.zeros(2, 0, dtype=torch.int64), 2**31)


def test_moves_with_its_transpose() -> None:
    edges = graph(directed=True).to("meta")
    assert edges.indices.device.type == edges.transposed.indices.device.type == "meta"
    assert graph().to("cpu").reverse is None


def graph(directed: bool = False, self_loops: bool = True) -> Edges:
    """Any edges, of which none touches node 4."""
    index = torch.randint(0, N, (2, 3 * N))
    return Edges.build(index[:, (index != 4).all(dim=0)], N, directed=directed, self_loops=self_loops)


def attention(dtype: torch.dtype = torch.float64) -> EnergyAttention:
    energy = EnergyAttention(DIM, HEADS, 4, learn_beta=True, bias=True, include_self=True).to(dtype)
    with torch.no_grad():
        for name, parameter in energy.named_parameters():
            parameter.uniform_(0.4, 1.5) if name == "beta" else parameter.normal_(std=0.6)
    return energy


def every_derivative(energy: EnergyAttention, g: Tensor, context: Context) -> list[Tensor]:
    """Energy and force, the gradients of both by tokens and parameters, and the energy's second ones."""
    leaves = [g.detach().requires_grad_(), *energy.parameters()]
    e, f = energy.evaluate(leaves[0], context)
    generator = torch.Generator().manual_seed(1)
    w = torch.randn(f.shape, generator=generator, dtype=f.dtype)
    first = torch.autograd.grad(e.square().sum(), leaves, create_graph=True)
    second = torch.autograd.grad((first[0] * w).sum(), leaves)
    return [e, f, *first, *second, *torch.autograd.grad((energy.force(leaves[0], context) * w).sum(), leaves)]


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("self_loops", [False, True])
def test_attention_is_that_of_the_dense_mask_in_every_derivative(directed: bool, self_loops: bool) -> None:
    energy, edges, g = attention(), graph(directed, self_loops), torch.randn(BATCH, N, DIM, dtype=torch.float64)
    along, masked = Context(edges=(edges,)), Context(pairs=dense(edges))
    for found, expected in zip(every_derivative(energy, g, along), every_derivative(energy, g, masked), strict=True):
        torch.testing.assert_close(found, expected, **EXACT)
    with torch.no_grad():
        torch.testing.assert_close(energy.force(g, along), energy.force(g, masked), **EXACT)
        torch.testing.assert_close(energy.per_token(g, along), energy.per_token(g, masked), **EXACT)


def test_maps_are_the_entries_of_the_dense_ones() -> None:
    energy, edges, g = attention(), graph(directed=True), torch.randn(BATCH, N, DIM, dtype=torch.float64)
    expected = energy.maps(g, Context(pairs=dense(edges)))[..., edges.targets(), edges.indices.long()]
    torch.testing.assert_close(energy.maps(g, Context(edges=(edges,))), expected, **EXACT)


def test_refuses_a_relation_that_is_not_there_and_edges_of_other_tokens() -> None:
    g, context = torch.randn(1, N, DIM), Context(edges=(graph(),))
    with pytest.raises(InputError, match="wants relation 1, but the context has 1"):
        EnergyAttention(DIM, HEADS, 4, relation=1).evaluate(g, context)
    with pytest.raises(InputError, match=f"edges are of {N} tokens, not of these {N - 1}"):
        EnergyAttention(DIM, HEADS, 4).evaluate(g[:, 1:], context)
    with pytest.raises(InputError, match="edges take the place of masks"):
        Context(pairs=dense(graph()), edges=(graph(),))


class Step(nn.Module):
    """One step down attention along the edges of two relations, and memory."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = EnergySum(
            [EnergyAttention(DIM, HEADS, 4), EnergyAttention(DIM, HEADS, 4, relation=1), HopfieldMemory(DIM, 6)]
        )
        self.context = Context(edges=(graph(), graph(directed=True, self_loops=False)))

    def forward(self, g: Tensor) -> Tensor:
        """Tokens after the step."""
        return g + self.energy.force(g, self.context)


def test_compiles_to_one_graph_with_the_same_gradients() -> None:
    step, g = Step(), torch.randn(1, N, DIM)
    torch.compiler.reset()
    found = []
    for walk in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        y = walk(g)
        found.append([y, *torch.autograd.grad(y.sin().sum(), list(step.parameters()))])
    torch.testing.assert_close(*found)


def test_exports_without_our_operator() -> None:
    step, g = Step(), torch.randn(1, N, DIM)
    exported = torch.export.export(step, (g,))
    assert "attractor" not in str(exported.graph)
    torch.testing.assert_close(exported.module()(g), step(g))


def test_infers() -> None:
    step, g = Step(), torch.randn(1, N, DIM)
    expected = step(g).detach()
    with torch.inference_mode():
        found = step(g)
    torch.testing.assert_close(found.clone(), expected)


@pytest.mark.parametrize("grad", [True, False])
def test_under_autocast_stays_within_bfloat16(grad: bool) -> None:
    step, g = Step(), torch.randn(1, N, DIM)
    expected = step(g)
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(grad):
        found = step(g)
    assert found.dtype == g.dtype and (found - expected).norm() < 2e-2 * expected.norm()
