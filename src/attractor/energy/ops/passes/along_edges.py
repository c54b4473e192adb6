"""Energy attention of graphs side by side: one compiled pass for a few of them at a time, from tokens to forces.

Queries and keys of so few tokens stay in the cache, from the first matrix product to the last; only where there will be
gradients are they kept. In float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.energy.ops.alignment import Mixing, align
from attractor.energy.ops.attention import merge_heads, split_heads
from attractor.energy.ops.eager import is_float32
from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.passes.lanes import FAST, LANES, exp, fma, load, maximum, splat, store, total
from attractor.energy.ops.passes.passed import Tensors
from attractor.energy.ops.passes.products import (
    copy,
    empty,
    even,
    odd_lines,
    panels,
    product,
    to_panels,
    whole_vectors,
)
from attractor.energy.ops.threads import compiled, over_parts, shares

if TYPE_CHECKING:
    from attractor.energy.edges import Edges

LARGEST = 512  # tokens of a piece: what a core's cache holds, and what one thread should be left with
SPARE = 3  # more rows than a piece has tokens is the most that products want
CELLS = 2**24  # numbers of a piece: enough that threads share even two


@dataclass(frozen=True)
class AlongEdges:
    """``lse (N, H)`` and ``-dE/dg (N, D)`` of :class:`attractor.energy.EnergyAttention` along edges, without biases.

    Operands are ``g (N, D)``, ``w (2, H, Y, D)``, ``into (H, H)``, by which scores are mixed, ``back (H, H)``, by which
    what they come to is, and ``weights (E, H)``. Without ``energy`` the ``lse`` is empty.
    """

    edges: Edges
    energy: bool

    @staticmethod
    def takes(g: Tensor, w: Tensor, weights: Tensor, edges: Edges) -> bool:
        """Whether ``g``, ``w``, and ``weights`` along such ``edges``, are for this pass."""
        return (
            FAST
            and is_float32(g, w, weights)
            and w.shape[2] % LANES == w.shape[3] % LANES == 0
            and len(edges.pieces) > torch.get_num_threads()
            and int(edges.pieces.diff().max()) <= LARGEST
        )

    def plain(self, g: Tensor, w: Tensor, into: Tensor, back: Tensor, weights: Tensor) -> Tensors:
        """By operators along the edges; holds queries and keys."""
        q, k = (split_heads(linear(g.unsqueeze(0), each), len(into)) for each in w.flatten(1, 2))
        aligned = align(q, k, edges=self.edges, weights=weights, mixing=Mixing(into, back))
        mix, pull = (linear(merge_heads(t), each.T) for t, each in zip(aligned[1:], w.flatten(1, 2), strict=True))
        return aligned.lse.squeeze(0).T, (mix + pull).squeeze(0)

    def results(self, g: Tensor, w: Tensor, *others: Tensor, keep: bool) -> tuple[Tensors, Tensors]:
        """One pass; kept are queries and keys."""
        heads, starts = w.shape[1], self.edges.pieces
        lse, force = g.new_empty(len(g) if self.energy else 0, heads), g.new_empty(g.shape)
        kept = g.new_empty(heads, 2, len(g) + SPARE * len(starts) if keep else 0, w.shape[2])
        operands = self._prepared(g, w, *others)
        over_parts(_force, len(starts) - 1, *operands, kept, lse, force, cells=CELLS)
        return (lse, force), (kept,)

    def gradients(self, operands: Tensors, kept: Tensors, upstream: tuple[Tensor | None, ...]) -> Tensors:
        """Another pass, over as many groups of pieces as threads are kept busy with."""
        (g, w, _, _, weights), (dlse, df), heads = operands, upstream, len(operands[2])
        dlse = g.new_empty(0, heads) if dlse is None or not self.energy else dlse.contiguous()
        df = torch.zeros_like(g) if df is None else df.contiguous()
        groups = shares(len(self.edges.pieces) - 1)
        count = len(groups) - 1
        given = self._prepared(*operands)
        dg, dweights = g.new_empty(g.shape), g.new_empty(weights.shape)
        dw, dmixing = g.new_zeros(count, *w.shape), g.new_zeros(count, 2, *given[3].shape[1:])
        results = dg, dw, dmixing, dweights
        over_parts(_gradient, count, *given, *kept, groups, dlse, df, *results, cells=CELLS)
        dinto, dback = dmixing.sum(dim=0)[..., :heads]
        return dg, dw.sum(dim=0), dinto, dback, dweights

    def _prepared(self, g: Tensor, w: Tensor, into: Tensor, back: Tensor, weights: Tensor) -> Tensors:
        """The operands as both passes read them."""
        mixing = F.pad(torch.stack([into, into.T, back, back.T]), (0, -len(into) % LANES))
        edges = self.edges
        return g.contiguous(), *panels(w), mixing, weights.contiguous(), *edges.arrays, edges.pieces


@compiled
def _force(g, w_in, w_out, mixing, weights, indptr, indices, starts, kept, lse, force, first, last):
    heads, dim, width = weights.shape[1], g.shape[1], w_out.shape[3]
    rows, edges = _largest(starts, indptr, first, last)
    x, out, mix, pull = empty(rows, dim), empty(rows, dim), empty(rows, width), empty(rows, width)
    scratch = np.empty((heads, 2, rows, width), np.float32)
    a, p, c = _by_edge(edges, heads), _by_edge(edges, heads), _by_edge(edges, heads)
    for piece in range(first, last):
        start, n = starts[piece], starts[piece + 1] - starts[piece]
        rows = even(n)
        at = start + SPARE * piece if kept.shape[2] else 0
        room = kept if kept.shape[2] else scratch
        copy(g[start : start + n], x[:rows])
        for h in range(heads):
            q, k = room[h, 0, at : at + rows], room[h, 1, at : at + rows]
            product(x, w_in[0, h], q, dim, False)
            product(x, w_in[1, h], k, dim, False)
            _dots(q, k, indptr, indices, start, n, a, h)
        _softmax(a, mixing, weights, indptr, start, n, p, c, lse)
        for h in range(heads):
            q, k = room[h, 0, at : at + rows], room[h, 1, at : at + rows]
            _sums(c, h, q, k, indptr, indices, start, n, mix, pull)
            product(mix, w_out[0, h], out[:rows], width, h > 0)
            product(pull, w_out[1, h], out[:rows], width, True)
        copy(out[:n], force[start : start + n])


@compiled
def _largest(starts, indptr, first, last):
    """Rows for the tokens of the largest of these pieces, and for the edges of the one that has the most."""
    tokens, edges = 0, 0
    for piece in range(first, last):
        tokens = max(tokens, starts[piece + 1] - starts[piece])
        edges = max(edges, indptr[starts[piece + 1]] - indptr[starts[piece]])
    return even(tokens), edges


@compiled
def _by_edge(edges, heads):
    """Room for a number of every edge and head; zeros fill the last vector of heads."""
    return np.zeros((edges, whole_vectors(heads)), np.float32)


@compiled
def _dots(q, k, indptr, indices, start, n, a, h):
    """``a_vu = q_v . k_u`` of every edge on which v sees u."""
    for v in range(n):
        for e in range(indptr[start + v], indptr[start + v + 1]):
            u, whole = indices[e] - start, splat(np.float32(0))
            for y in range(0, q.shape[1], LANES):
                whole = fma(load(q, (v, y)), load(k, (u, y)), whole)
            a[e - indptr[start], h] = total(whole)


@compiled
def _mixed(a, e, m, z):
    """Sixteen of ``sum_h a_eh m_h``, from ``z`` on."""
    whole = splat(np.float32(0))
    for h in range(m.shape[0]):
        whole = fma(splat(a[e, h]), load(m, (h, z)), whole)
    return whole


@compiled
def _softmax(a, mixing, weights, indptr, start, n, p, c, lse):
    """``P`` of scores ``S_o = w_o sum_h into_ho a_h``, ``C_h = sum_o back_ho w_o P_o``, and ``lse`` where wanted."""
    heads, offset = weights.shape[1], indptr[start]
    w, tops, sums = _by_edge(1, heads), _by_edge(1, heads), _by_edge(1, heads)
    for v in range(n):
        edges = range(indptr[start + v] - offset, indptr[start + v + 1] - offset)
        for z in range(0, p.shape[1], LANES):
            top, whole = splat(np.float32(-np.inf)), splat(np.float32(0))
            for e in edges:
                w[0, :heads] = weights[e + offset]
                score = _mixed(a, e, mixing[0], z) * load(w, (0, z))
                top = maximum(top, score)
                store(p, (e, z), score)
            for e in edges:
                term = exp(load(p, (e, z)) - top)
                whole = whole + term
                store(p, (e, z), term)
            for e in edges:
                store(p, (e, z), load(p, (e, z)) / whole)
            store(tops, (0, z), top)
            store(sums, (0, z), whole)
        if len(lse):
            for h in range(heads):
                lse[start + v, h] = tops[0, h] + math.log(sums[0, h]) if len(edges) else np.float32(0)
        for e in edges:
            for h in range(heads):
                w[0, h] = weights[e + offset, h] * p[e, h]
            for z in range(0, p.shape[1], LANES):
                store(c, (e, z), _mixed(w, 0, mixing[3], z))


@compiled
def _sums(c, h, q, k, indptr, indices, start, n, mix, pull):
    """``mix_v = sum_u C_vu k_u`` and ``pull_u = sum_v C_vu q_v``."""
    pull[:n] = 0
    for v in range(n):
        edges = range(indptr[start + v], indptr[start + v + 1])
        for y in range(0, q.shape[1], LANES):
            query, whole = load(q, (v, y)), splat(np.float32(0))
            for e in edges:
                u, share = indices[e] - start, splat(c[e - indptr[start], h])
                whole = fma(share, load(k, (u, y)), whole)
                store(pull, (u, y), fma(share, query, load(pull, (u, y))))
            store(mix, (v, y), whole)


@compiled
def _gradient(
    g,
    w_in,
    w_out,
    mixing,
    weights,
    indptr,
    indices,
    starts,
    kept,
    groups,
    dlse,
    df,
    dg,
    dw,
    dmixing,
    dweights,
    first,
    last,
):
    heads, dim, width = weights.shape[1], g.shape[1], w_out.shape[3]
    rows, edges = _largest(starts, indptr, groups[first], groups[last])
    x, upstream, out = empty(rows, dim), empty(rows, dim), empty(rows, dim)
    back = np.empty((heads, 2, rows, width), np.float32)
    mix, pull = empty(rows, odd_lines(width)), empty(rows, odd_lines(width))  # read down their columns
    by_column = np.empty((2, dim // LANES, rows, LANES), np.float32)
    a, p, c = _by_edge(edges, heads), _by_edge(edges, heads), _by_edge(edges, heads)
    da, dc, ds = _by_edge(edges, heads), _by_edge(edges, heads), _by_edge(edges, heads)
    no_lse = np.empty((0, heads), np.float32)
    for group in range(first, last):
        for piece in range(groups[group], groups[group + 1]):
            start, n = starts[piece], starts[piece + 1] - starts[piece]
            rows, at = even(n), start + SPARE * piece
            copy(g[start : start + n], x[:rows])
            copy(df[start : start + n], upstream[:rows])
            to_panels(x[:n], by_column[0], 0)
            to_panels(upstream[:n], by_column[1], 0)
            for h in range(heads):
                _dots(kept[h, 0, at:], kept[h, 1, at:], indptr, indices, start, n, a, h)
            _softmax(a, mixing, weights, indptr, start, n, p, c, no_lse)
            for h in range(heads):
                q, k, dmix, dpull = kept[h, 0, at:], kept[h, 1, at:], back[h, 0, :rows], back[h, 1, :rows]
                _sums(c, h, q, k, indptr, indices, start, n, mix, pull)
                product(mix.T[:width], by_column[1], dw[group, 0, h], n, True)
                product(pull.T[:width], by_column[1], dw[group, 1, h], n, True)
                product(upstream, w_in[0, h], dmix, dim, False)
                product(upstream, w_in[1, h], dpull, dim, False)
                _two_dots(dmix, k, dpull, q, indptr, indices, start, n, dc, h)
            _through_softmax(a, p, dc, mixing, weights, indptr, start, n, dlse, da, ds, dmixing[group], dweights)
            for h in range(heads):
                q, k, dq, dk = kept[h, 0, at:], kept[h, 1, at:], mix, pull
                _two_sums(c, back[h, 0], back[h, 1], da, q, k, h, indptr, indices, start, n, dq, dk)
                product(dq.T[:width], by_column[0], dw[group, 0, h], n, True)
                product(dk.T[:width], by_column[0], dw[group, 1, h], n, True)
                product(dq, w_out[0, h], out[:rows], width, h > 0)
                product(dk, w_out[1, h], out[:rows], width, True)
            copy(out[:n], dg[start : start + n])


@compiled
def _two_dots(dmix, k, dpull, q, indptr, indices, start, n, dc, h):
    """``dC_vu = dmix_v . k_u + dpull_u . q_v`` of every edge on which v sees u."""
    for v in range(n):
        for e in range(indptr[start + v], indptr[start + v + 1]):
            u, whole = indices[e] - start, splat(np.float32(0))
            for y in range(0, q.shape[1], LANES):
                whole = fma(load(dmix, (v, y)), load(k, (u, y)), whole)
                whole = fma(load(dpull, (u, y)), load(q, (v, y)), whole)
            dc[e - indptr[start], h] = total(whole)


@compiled
def _through_softmax(a, p, dc, mixing, weights, indptr, start, n, dlse, da, ds, dmixing, dweights):
    """From ``dC`` and the gradient of log-sum-exps those of ``a``, of the mixing and of the weights.

    ::

        dP_o = w_o D_o,  D_o = sum_h back_ho dC_h       dS_o = P_o (dP_o - sum_e P_o dP_o + dlse_o)
        dw_o = P_o D_o + dS_o sum_h into_ho a_h         da_h = sum_o into_ho w_o dS_o
    """
    heads, offset = weights.shape[1], indptr[start]
    w, dw, ends = _by_edge(1, heads), _by_edge(1, heads), _by_edge(1, heads)
    for v in range(n):
        edges = range(indptr[start + v] - offset, indptr[start + v + 1] - offset)
        if len(dlse):
            ends[0, :heads] = dlse[start + v]
        for z in range(0, p.shape[1], LANES):
            rest = load(ends, (0, z))
            for e in edges:
                w[0, :heads] = weights[e + offset]
                dp = _mixed(dc, e, mixing[2], z) * load(w, (0, z))
                rest = rest - load(p, (e, z)) * dp
                store(ds, (e, z), dp)
            for e in edges:
                store(ds, (e, z), load(p, (e, z)) * (load(ds, (e, z)) + rest))
        for e in edges:
            w[0, :heads] = weights[e + offset]
            for z in range(0, p.shape[1], LANES):
                share, score = load(p, (e, z)), load(ds, (e, z))
                store(dw, (0, z), fma(score, _mixed(a, e, mixing[0], z), share * _mixed(dc, e, mixing[2], z)))
                score, share = score * load(w, (0, z)), share * load(w, (0, z))
                for h in range(heads):
                    store(dmixing, (0, h, z), fma(splat(a[e, h]), score, load(dmixing, (0, h, z))))
                    store(dmixing, (1, h, z), fma(splat(dc[e, h]), share, load(dmixing, (1, h, z))))
                store(ds, (e, z), score)
            dweights[e + offset] = dw[0, :heads]
            for z in range(0, p.shape[1], LANES):
                store(da, (e, z), _mixed(ds, e, mixing[1], z))


@compiled
def _two_sums(c, dmix, dpull, da, q, k, h, indptr, indices, start, n, dq, dk):
    """``dq_v = sum_u C_vu dpull_u + da_vu k_u`` and ``dk_u = sum_v C_vu dmix_v + da_vu q_v``."""
    dk[:n] = 0
    for v in range(n):
        edges = range(indptr[start + v], indptr[start + v + 1])
        for y in range(0, q.shape[1], LANES):
            query, mixed, whole = load(q, (v, y)), load(dmix, (v, y)), splat(np.float32(0))
            for e in edges:
                u, at = indices[e] - start, e - indptr[start]
                share, slope = splat(c[at, h]), splat(da[at, h])
                whole = fma(share, load(dpull, (u, y)), fma(slope, load(k, (u, y)), whole))
                store(dk, (u, y), fma(share, mixed, fma(slope, query, load(dk, (u, y)))))
            store(dq, (v, y), whole)
