"""Products along edges: the compiled loops, and what torch alone makes of the same equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from attractor.energy import Edges
from attractor.energy.ops import edge_products
from attractor.energy.ops.bfloat16 import array
from attractor.energy.ops.compiling import compiled
from many_threads import cut_for_two_threads

N, HEADS, WIDTH = 12, 3, 5


@pytest.fixture(params=[False, True], ids=["undirected", "directed"])
def edges(request: pytest.FixtureRequest) -> Edges:
    index = torch.randint(0, N, (2, 40))
    return Edges.build(index[:, (index != 2).all(dim=0)], N, directed=request.param, self_loops=False)


@pytest.fixture(params=["one", "torch's", "own"])
def on_threads(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.param != "one":
        cut_for_two_threads(monkeypatch, own=request.param == "own")


def operands(edges: Edges, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """``q, k (N, H, Y)`` and ``c (E, H)``."""
    wide = torch.promote_types(dtype, torch.float32)
    q, k = torch.randn(2, N, HEADS, WIDTH, dtype=dtype)
    return q.requires_grad_(), k.requires_grad_(), torch.randn(edges.count, HEADS, dtype=wide, requires_grad=True)


def dense(c: Tensor, edges: Edges) -> Tensor:
    """Numbers of edges as matrices ``(H, N, N)``."""
    matrix = c.new_zeros(N, N, c.shape[1])
    matrix[edges.targets(), edges.indices.long()] = c
    return matrix.permute(2, 0, 1)


def test_dots_and_sums_are_products_of_matrices(edges: Edges, on_threads: None) -> None:
    q, k, c = (t.detach() for t in operands(edges))
    scores = torch.einsum("chy,bhy->hcb", q, k)
    found = edge_products.dots(q, k, edges)
    expected = scores[:, edges.targets(), edges.indices.long()].T
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for transposed, equation in [(False, "hcb,bhy->chy"), (True, "hcb,chy->bhy")]:
        found = edge_products.sums(c, k, edges, transposed)
        torch.testing.assert_close(found, torch.einsum(equation, dense(c, edges), k), rtol=1e-12, atol=1e-12)


def test_derivatives_of_every_order(edges: Edges, on_threads: None) -> None:
    q, k, c = operands(edges)
    for function, inputs in [
        (lambda q, k: edge_products.dots(q, k, edges), (q, k)),
        (lambda c, k: edge_products.sums(c, k, edges), (c, k)),
        (lambda c, k: edge_products.sums(c, k, edges, transposed=True), (c, k)),
        (lambda c: edge_products.softmax(c, edges), (c,)),
    ]:
        assert gradcheck(function, inputs) and gradgradcheck(function, inputs)


def test_bfloat16_is_rounded_once(edges: Edges, on_threads: None) -> None:
    q, k, c = (t.detach() for t in operands(edges, torch.bfloat16))
    dots, sums = edge_products.dots(q, k, edges), edge_products.sums(c, k, edges)
    assert dots.dtype == torch.float32 and sums.dtype == torch.bfloat16
    torch.testing.assert_close(dots, edge_products.dots(q.float(), k.float(), edges), rtol=1e-6, atol=1e-6)
    exact = edge_products.sums(c, k.float(), edges)
    torch.testing.assert_close(sums.float(), exact, rtol=2**-8, atol=1e-30)
    assert not torch.equal(sums.float(), exact)


def test_gradients_flow_in_bfloat16(edges: Edges) -> None:
    q, k, c = operands(edges, torch.bfloat16)
    wide = [t.detach().float().requires_grad_() for t in (q, k, c)]
    grads = []
    for a, b, w in [(q, k, c), wide]:
        total = edge_products.sums(w * edge_products.dots(a, b, edges), b, edges)
        grads.append(torch.autograd.grad(total.float().square().sum(), (a, b, w)))
    for narrow, full in zip(*grads, strict=True):
        assert (narrow.float() - full).norm() < 0.02 * full.norm()


def test_a_hub_is_summed_well_in_single_precision() -> None:
    nodes = 200_000
    star = Edges.build(torch.stack([torch.zeros(nodes - 1).long(), torch.arange(1, nodes)]), nodes)
    c, x = torch.rand(1, 1).expand(star.count, -1).contiguous(), torch.rand(1, 1, 2).expand(nodes, -1, -1).contiguous()
    exact = edge_products.sums(c.double(), x.double(), star)
    torch.testing.assert_close(edge_products.sums(c, x, star).double(), exact, rtol=1e-5, atol=0)
    c[1] += 0.3  # sums of exp(0) would be whole numbers
    p, lse = edge_products.softmax(c.requires_grad_(), star)
    torch.testing.assert_close(lse.double(), edge_products.softmax(c.double(), star)[1], rtol=1e-6, atol=0)
    assert (p[:nodes].sum(dtype=torch.float64) - 1).abs() < 1e-5
    (slope,) = torch.autograd.grad(p, c, torch.full_like(p, 0.7))  # P (0.7 - sum P 0.7) = 0
    assert (slope / p).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_torch_alone_comes_to_the_same(edges: Edges, dtype: torch.dtype) -> None:
    q, k, c = (t.detach() for t in operands(edges, dtype))
    pairs = [
        (edge_products.dots(q, k, edges), edge_products.torch_dots(q, k, *edges.arrays)),
        (edge_products.sums(c, k, edges), edge_products.torch_sums(c, k, *edges.arrays)),
        (edge_products.softmax(c, edges), edge_products.torch_softmax(c, edges.indptr)),
    ]
    for mine, plain in pairs:
        torch.testing.assert_close(mine, plain, rtol=1e-2 if dtype == torch.bfloat16 else 1e-12, atol=1e-6)


@compiled
def _halve(x, out):
    for i in range(len(x)):
        out[i] = edge_products.rounded(edge_products.widened(x[i]) / np.float32(2), out)


def test_bfloat16_rounds_as_torch_does() -> None:
    bits = torch.arange(-(2**15), 2**15).to(torch.int16)  # every bfloat16 there is
    x = bits.view(torch.bfloat16)
    out = torch.empty_like(x)
    _halve(array(x), array(out))
    torch.testing.assert_close(out, x / 2, rtol=0, atol=0, equal_nan=True)
    assert out[x.isnan()].isnan().all() and out[x == math.inf].eq(math.inf).all()
