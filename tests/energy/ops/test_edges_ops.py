"""Alignment along edges: threads and blocks compute what the equations say, in memory that holds no edge's tokens."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.profiler import ProfilerActivity, profile

from attractor.energy import Edges
from attractor.energy.ops import edges_blocks, edges_threads
from attractor.energy.ops.edges import along_edges, reference
from many_threads import cut_for_two_threads

N, HEADS, WIDTH = 12, 3, 5
Parts = tuple[Tensor, Tensor, Tensor]
Align = Callable[..., Parts]


def random_edges(nodes: int = N, count: int = 40, directed: bool = False, self_loops: bool = False) -> Edges:
    """Any edges, of which none touches node 2."""
    index = torch.randint(0, max(nodes, 1), (2, count if nodes else 0))
    return Edges.build(index[:, (index != 2).all(dim=0)], nodes, directed=directed, self_loops=self_loops)


GRAPHS: dict[str, Callable[[], Edges]] = {
    "undirected": random_edges,
    "loops": lambda: random_edges(self_loops=True),
    "directed": lambda: random_edges(directed=True),
    "directed-loops": lambda: random_edges(directed=True, self_loops=True),
    "star": lambda: Edges.build(torch.stack([torch.arange(1, N), torch.zeros(N - 1).long()]), N, directed=True),
    "no-edges": lambda: random_edges(count=0),
    "one-node": lambda: random_edges(nodes=1, count=0, self_loops=True),
    "no-nodes": lambda: random_edges(nodes=0, count=0),
}


@pytest.fixture(params=GRAPHS)
def edges(request: pytest.FixtureRequest) -> Edges:
    return GRAPHS[request.param]()


@pytest.fixture(params=["torch's", "own"])
def many_threads(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Cut even the smallest graph into parts for two threads."""
    cut_for_two_threads(monkeypatch, own=request.param == "own")


def operands(
    nodes: int = N, heads: int = HEADS, width: int = WIDTH, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    """Queries and keys that are views of something larger."""
    return [torch.randn(heads, nodes, 2 * width, dtype=dtype)[..., ::2].transpose(0, 1).requires_grad_() for _ in "qk"]


def by_gathering(q: Tensor, k: Tensor, edges: Edges) -> Parts:
    """The equations by tokens gathered for every edge and scattered from it, apart from all that the library does."""
    target, source = edges.targets(), edges.indices.long()
    scores = (q[target] * k[source]).sum(dim=-1)
    rows = target.unsqueeze(-1).expand_as(scores)
    highest = scores.new_zeros(q.shape[:2]).scatter_reduce(0, rows, scores.detach(), "amax", include_self=False)
    terms = (scores - highest[target]).exp()
    total = torch.zeros_like(highest).index_add(0, target, terms)
    lonely = edges.degrees().eq(0).unsqueeze(-1)
    lse = (total.masked_fill(lonely, 1).log() + highest).masked_fill(lonely, 0)
    p, zero = (terms / total[target]).unsqueeze(-1), torch.zeros_like(q)
    return lse, zero.index_add(0, target, p * k[source]), zero.index_add(0, source, p * q[target])


def grids(edges: Edges) -> tuple[Tensor, ...]:
    return *edges.arrays, *edges.transposed.arrays


@pytest.mark.parametrize("align", [along_edges, reference])
@pytest.mark.parametrize(("heads", "width"), [(1, 1), (3, 5), (2, 16)])
def test_equals_the_equations_with_their_gradients(
    edges: Edges, many_threads: None, heads: int, width: int, align: Align
) -> None:
    q, k = operands(edges.nodes, heads, width)
    mine, plain = align(q, k, edges), by_gathering(q, k, edges)
    torch.testing.assert_close(mine, plain, rtol=1e-12, atol=1e-12)
    upstream = [torch.randn_like(t) for t in mine]
    for results in (slice(0, 3), slice(0, 1), slice(1, 2), slice(2, 3)):  # what is not used sends nothing back
        found, expected = (
            torch.autograd.grad(a[results], (q, k), upstream[results], retain_graph=True) for a in (mine, plain)
        )
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("block", [1, 64, 2**24])
def test_blocks_are_the_threads_without_numba(edges: Edges, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(edges_blocks, "BLOCK", block)
    shape = edges.nodes, HEADS, WIDTH
    q, k, v, dmix, dpull = torch.randn(5, *shape, dtype=torch.float64)
    aligned = [module.align(q, k, v, *grids(edges)) for module in (edges_threads, edges_blocks)]
    torch.testing.assert_close(*aligned, rtol=1e-12, atol=1e-12)
    lse, mix, _ = aligned[0]
    flow = lse, mix, torch.randn_like(lse), dmix, dpull
    gradients = [module.gradient(q, k, v, *grids(edges), *flow) for module in (edges_threads, edges_blocks)]
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("directed", [False, True])
def test_gradcheck_and_of_the_energy_twice(many_threads: None, directed: bool) -> None:
    edges, weights = random_edges(directed=directed), torch.randn(N, HEADS, dtype=torch.float64)
    assert gradcheck(lambda q, k: along_edges(q, k, edges), operands(), fast_mode=True)
    assert gradgradcheck(lambda q, k: (weights * along_edges(q, k, edges)[0]).sum(), operands(), fast_mode=True)


@pytest.mark.parametrize("result", [1, 2])
def test_a_derivative_too_many_is_refused(result: int) -> None:
    q, k = operands()
    gradient = torch.autograd.grad(along_edges(q, k, random_edges())[result].square().sum(), (q, k), create_graph=True)
    with pytest.raises(RuntimeError, match="two derivatives"):
        torch.autograd.grad(gradient[0].sum() + gradient[1].sum(), (q, k))


@pytest.mark.parametrize("align", [edges_threads.align, edges_blocks.align])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_a_number_is_seen_by_those_who_see_it_and_by_no_one_else(align: Align, value: float) -> None:
    path = Edges.build(torch.tensor([[0, 1], [1, 2]]), 4, directed=True, self_loops=False)
    q, k = torch.randn(2, 4, 1, 2)
    k[1] = value
    lse, mix, pull = align(q, k, q, *grids(path))
    assert not lse[2].isfinite() and mix[2].isnan().all() and pull[1].isnan().all()
    assert all(t[[0, 1, 3]].isfinite().all() for t in (lse, mix)) and pull[[0, 2, 3]].isfinite().all()


@pytest.mark.parametrize("align", [edges_threads.align, edges_blocks.align])
def test_survives_scores_that_overflow_the_exponential(align: Align) -> None:
    edges = random_edges()
    q, k = (100 * t.detach().contiguous() for t in operands(dtype=torch.float32))
    exact = by_gathering(q.double(), k.double(), edges)
    for mine, expected in zip(align(q, k, q, *grids(edges)), exact, strict=True):
        torch.testing.assert_close(mine.double(), expected, rtol=1e-4, atol=1e-2)


def test_a_hub_is_summed_well_in_single_precision() -> None:
    nodes = 200_000
    star = Edges.build(torch.stack([torch.zeros(nodes - 1).long(), torch.arange(1, nodes)]), nodes)
    q, k, dmix, dpull = (
        torch.rand(4, 1, 1, 2).expand(-1, nodes, -1, -1).contiguous()
    )  # all roundings of a sum are alike
    exact = edges_threads.align(q.double(), k.double(), q.double(), *grids(star))
    for mine, expected in zip(edges_threads.align(q, k, q, *grids(star)), exact, strict=True):
        torch.testing.assert_close(mine.double(), expected, rtol=1e-5, atol=0)
    flow = exact[0], exact[1], torch.rand(nodes, 1).double(), dmix.double(), dpull.double()
    exact = edges_threads.gradient(q.double(), k.double(), q.double(), *grids(star), *flow)
    found = edges_threads.gradient(q, k, q, *grids(star), *(t.float() for t in flow))
    for mine, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(mine[0].double(), expected[0], rtol=1e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_worked_on_in_single(dtype: torch.dtype) -> None:
    edges = random_edges()
    q, k = (t.detach().to(dtype) for t in operands())
    torch.testing.assert_close(along_edges(q, k, edges), along_edges(q.float(), k.float(), edges), rtol=0, atol=0)


def largest_allocation(align: Align, gradient: Align, edges: Edges) -> float:
    q, k, v, dmix, dpull = torch.randn(5, edges.nodes, HEADS, WIDTH)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        lse, mix, _ = align(q, k, v, *grids(edges))
        gradient(q, k, v, *grids(edges), lse, mix, lse, dmix, dpull)
    return max(event.self_cpu_memory_usage for event in record.events())


def test_no_allocation_has_the_tokens_of_every_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = random_edges(nodes=100, count=3000)
    everything, tokens = 4 * edges.count * HEADS * WIDTH, 4 * edges.nodes * HEADS * WIDTH
    assert largest_allocation(edges_threads.align, edges_threads.gradient, edges) <= tokens
    assert largest_allocation(edges_blocks.align, edges_blocks.gradient, edges) >= everything  # the measure sees it
    monkeypatch.setattr(edges_blocks, "BLOCK", 2**11)
    assert largest_allocation(edges_blocks.align, edges_blocks.gradient, edges) <= max(tokens, 4 * 2**11)


def test_several_callers_at_once(many_threads: None) -> None:
    edges = random_edges(nodes=300, count=2000)
    inputs = [[t.detach() for t in operands(300)] for _ in range(8)]
    expected = [along_edges(q, k, edges) for q, k in inputs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda qk: along_edges(*qk, edges), inputs))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_in_a_forked_process(many_threads: None) -> None:
    edges, (q, k) = random_edges(), (t.detach() for t in operands())
    expected = along_edges(q, k, edges)  # threads have run before the fork
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        same = all(torch.equal(a, b) for a, b in zip(along_edges(q, k, edges), expected, strict=True))
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("directed", [False, True])
def test_the_operator_keeps_what_torch_asks_of_one(directed: bool) -> None:
    q, k = (t.detach().contiguous().requires_grad_() for t in operands())
    inputs = q, k, q.detach().clone(), *(t.clone() for t in grids(random_edges(directed=directed)))
    torch.library.opcheck(torch.ops.attractor.align_edges, inputs)
