"""Products along the edges of a graph: a number from the tokens at both ends, and sums of tokens over neighbours.

Each is the derivative of the other, so that whatever is made of them has derivatives of every order. Tokens in
bfloat16 are read and written as they are; numbers of edges, and all that is summed, have float32 or better.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from attractor.energy.ops.bfloat16 import rounded, widened
from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.eager import is_for_torch_alone
from attractor.energy.ops.long_sums import RUN, move
from attractor.energy.ops.precision import at_least_float32, summed_in
from attractor.energy.ops.threads import over_rows

if TYPE_CHECKING:
    from attractor.energy.edges import Edges

torch.library.define("attractor::edge_dots", "(Tensor q, Tensor k, Tensor indptr, Tensor indices) -> Tensor")
torch.library.define("attractor::edge_sums", "(Tensor c, Tensor x, Tensor indptr, Tensor indices) -> Tensor")
torch.library.define("attractor::edge_softmax", "(Tensor s, Tensor indptr) -> (Tensor, Tensor)")


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, edges: Edges) -> Tensor:
        ctx.save_for_backward(q, k)
        ctx.edges = edges
        return torch.ops.attractor.edge_dots(q, k, *edges.arrays)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        q, k = ctx.saved_tensors
        return sums(grads[0], k, ctx.edges), sums(grads[0], q, ctx.edges, transposed=True), None


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, c: Tensor, x: Tensor, edges: Edges, transposed: bool) -> Tensor:
        ctx.save_for_backward(c, x)
        ctx.edges, ctx.transposed = edges, transposed
        if transposed:
            return torch.ops.attractor.edge_sums(c[edges.order], x, *edges.transposed.arrays)
        return torch.ops.attractor.edge_sums(c, x, *edges.arrays)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (c, x), total = ctx.saved_tensors, grads[0]
        left, right = (x, total) if ctx.transposed else (total, x)
        return dots(left, right, ctx.edges), sums(c, total, ctx.edges, not ctx.transposed), None, None


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, s: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
        p, lse = torch.ops.attractor.edge_softmax(s, edges.indptr)
        ctx.save_for_backward(p)
        ctx.edges = edges
        return p, lse

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """``ds = P (dP - sum P dP + dlse)``, the sum over the row."""
        (p,), (dp, dlse) = ctx.saved_tensors, grads
        total = sums(p * dp, torch.ones_like(dlse).unsqueeze(-1), ctx.edges).squeeze(-1)
        return p * (dp + (dlse - total)[ctx.edges.targets()]), None


def dots(q: Tensor, k: Tensor, edges: Edges) -> Tensor:
    """``q_v . k_u`` of every edge on which v sees u, a head at a time; ``(N, H, Y), (N, H, Y) -> (E, H)``."""
    if is_for_torch_alone(q, k):
        return torch_dots(q, k, *edges.arrays)
    return _Dots.apply(q.contiguous(), k.contiguous(), edges)


def sums(c: Tensor, x: Tensor, edges: Edges, transposed: bool = False) -> Tensor:
    """``sum_u c_vu x_u`` over whom v sees, ``(E, H), (N, H, Y) -> (N, H, Y)``; transposed over those who see v."""
    if is_for_torch_alone(c, x):
        return (
            torch_sums(c[edges.order], x, *edges.transposed.arrays) if transposed else torch_sums(c, x, *edges.arrays)
        )
    return _Sums.apply(c.contiguous(), x.contiguous(), edges, transposed)


def softmax(s: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
    """``P (E, H)``, the softmax of scores over whom v sees, and log-sum-exps ``(N, H)``, 0 where v sees nobody."""
    if is_for_torch_alone(s):
        return torch_softmax(s, edges.indptr)
    return _Softmax.apply(s.contiguous(), edges)


@torch.library.impl("attractor::edge_dots", "CPU")
def _(q: Tensor, k: Tensor, indptr: Tensor, indices: Tensor) -> Tensor:
    out = _numbers(q, indices)
    over_rows(_dots, indptr, indices, q, k, out, cells=q[0].numel())
    return out


@torch.library.impl("attractor::edge_sums", "CPU")
def _(c: Tensor, x: Tensor, indptr: Tensor, indices: Tensor) -> Tensor:
    out = torch.empty_like(x)
    over_rows(_sums, indptr, indices, c, x, out, cells=x[0].numel())
    return out


@torch.library.impl("attractor::edge_softmax", "CPU")
def _(s: Tensor, indptr: Tensor) -> tuple[Tensor, Tensor]:
    p, lse = torch.empty_like(s), s.new_empty(len(indptr) - 1, s.shape[1])
    over_rows(_softmax, indptr, s, p, lse, cells=16 * s.shape[1])  # exponentials cost more than products
    return p, lse


def torch_dots(q: Tensor, k: Tensor, indptr: Tensor, indices: Tensor) -> Tensor:
    """:func:`dots` by torch alone; holds the tokens of every edge."""
    q, k = at_least_float32(q), at_least_float32(k)
    return (q[_rows(indptr, indices)] * k[indices.long()]).sum(dim=-1)


def torch_sums(c: Tensor, x: Tensor, indptr: Tensor, indices: Tensor) -> Tensor:
    """:func:`sums` by torch alone; holds the tokens of every edge."""
    total = torch.zeros_like(x, dtype=c.dtype)
    return total.index_add(0, _rows(indptr, indices), c.unsqueeze(-1) * x[indices.long()]).to(x.dtype)


def torch_softmax(s: Tensor, indptr: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`softmax` by torch alone."""
    rows, lonely = _rows(indptr, s), indptr.diff().eq(0).unsqueeze(-1)
    index, empty = rows.unsqueeze(-1).expand_as(s), s.new_zeros(indptr.shape[0] - 1, s.shape[1])
    highest = empty.scatter_reduce(0, index, s.detach(), "amax", include_self=False)
    p = (s - highest[rows]).exp()
    total = empty.index_add(0, rows, p)
    return p / total[rows], (highest + total.masked_fill(lonely, 1).log()).masked_fill(lonely, 0)


torch.library.impl("attractor::edge_dots", "CompositeExplicitAutograd")(torch_dots)
torch.library.impl("attractor::edge_sums", "CompositeExplicitAutograd")(torch_sums)
torch.library.impl("attractor::edge_softmax", "CompositeExplicitAutograd")(torch_softmax)


def _numbers(q: Tensor, indices: Tensor) -> Tensor:
    """Room for a number of every edge and head."""
    return q.new_empty(len(indices), q.shape[1], dtype=summed_in(q.dtype))


def _rows(indptr: Tensor, edges: Tensor) -> Tensor:
    return torch.repeat_interleave(indptr.diff(), output_size=edges.shape[0])


@torch.library.register_fake("attractor::edge_dots")
def _(q: Tensor, k: Tensor, indptr: Tensor, indices: Tensor) -> Tensor:
    return _numbers(q, indices)


@torch.library.register_fake("attractor::edge_sums")
def _(c: Tensor, x: Tensor, indptr: Tensor, indices: Tensor) -> Tensor:
    return torch.empty_like(x)


@torch.library.register_fake("attractor::edge_softmax")
def _(s: Tensor, indptr: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(s), s.new_empty(len(indptr) - 1, s.shape[1])


@compiled
def _dots(indptr, indices, q, k, out, first, last):
    heads, width = q.shape[1], q.shape[2]
    for v in range(first, last):
        for e in range(indptr[v], indptr[v + 1]):
            u = indices[e]
            for h in range(heads):
                total = out.dtype.type(0)
                for y in range(width):
                    total += widened(q[v, h, y]) * widened(k[u, h, y])
                out[e, h] = total


@compiled
def _sums(indptr, indices, c, x, out, first, last):
    heads, width = x.shape[1], x.shape[2]
    total, totals = np.empty((heads, width), c.dtype), np.zeros((heads, width))
    for v in range(first, last):
        total[:] = 0
        begin, end = indptr[v], indptr[v + 1]
        for start in range(begin, end, RUN):
            if start > begin:
                move(total, totals)
            for e in range(start, min(start + RUN, end)):
                u = indices[e]
                for h in range(heads):
                    share = c[e, h]
                    for y in range(width):
                        total[h, y] += share * widened(x[u, h, y])
        if end - begin > RUN:
            move(totals, total)
        for h in range(heads):
            for y in range(width):
                out[v, h, y] = rounded(total[h, y], out)


@compiled
def _sum(p, start, end, h):
    """``sum_e p_eh``, in float64."""
    total = 0.0
    for e in range(start, end):
        total += p[e, h]
    return p.dtype.type(total)


@compiled
def _softmax(indptr, s, p, lse, first, last):
    heads = s.shape[1]
    for v in range(first, last):
        start, end = indptr[v], indptr[v + 1]
        for h in range(heads):
            if start == end:
                lse[v, h] = 0
                continue
            highest, total = s[start, h], s.dtype.type(0)
            for e in range(start + 1, end):
                highest = max(highest, s[e, h])
            for e in range(start, end):
                p[e, h] = math.exp(s[e, h] - highest)
                total += p[e, h]
            if end - start > RUN:
                total = _sum(p, start, end, h)
            for e in range(start, end):
                p[e, h] /= total
            lse[v, h] = highest + math.log(total)
