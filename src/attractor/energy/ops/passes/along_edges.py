"""Energy attention of graphs side by side: one compiled pass for a few of them at a time, from tokens to forces.

Queries and keys of so few tokens stay in the cache, from the first matrix product to the last; only where there will be
gradients are they kept. In float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.energy.ops.alignment import Mixing, Surroundings, align
from attractor.energy.ops.attention import merge_heads, split_heads
from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.eager import is_float32
from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.passes.edge_loops import (
    by_edge,
    dots,
    largest,
    softmax,
    sums,
    through_softmax,
    two_dots,
    two_sums,
)
from attractor.energy.ops.passes.lanes import FAST, LANES
from attractor.energy.ops.passes.passed import Tensors
from attractor.energy.ops.passes.products import copy, empty, even, odd_lines, panels, product, to_panels
from attractor.energy.ops.threads import over_parts, shares

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
        aligned = align(q, k, Surroundings(edges=self.edges, weights=weights), Mixing(into, back))
        mix, pull = (linear(merge_heads(t), each.T) for t, each in zip(aligned[1:], w.flatten(1, 2), strict=True))
        return aligned.lse.squeeze(0).T, (mix + pull).squeeze(0)

    def results(self, g: Tensor, w: Tensor, *others: Tensor, keep: bool) -> tuple[Tensors, Tensors]:
        """One pass; kept are queries and keys."""
        heads, starts = w.shape[1], self.edges.pieces
        lse, force = g.new_empty(len(g) if self.energy else 0, heads), g.new_empty(g.shape)
        kept = g.new_empty(heads, 2, len(g) + SPARE * len(starts) if keep else 0, w.shape[2])
        over_parts(_force, len(starts) - 1, self._prepared(g, w, *others), kept, (lse, force), cells=CELLS)
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
        over_parts(_gradient, count, given, *kept, groups, (dlse, df), results, cells=CELLS)
        dinto, dback = dmixing.sum(dim=0)[..., :heads]
        return dg, dw.sum(dim=0), dinto, dback, dweights

    def _prepared(self, g: Tensor, w: Tensor, into: Tensor, back: Tensor, weights: Tensor) -> Tensors:
        """The operands as both passes read them; ``mixing`` in the order of ``INTO, INTO_T, BACK, BACK_T``."""
        mixing = F.pad(torch.stack([into, into.T, back, back.T]), (0, -len(into) % LANES))
        edges = self.edges
        return g.contiguous(), *panels(w), mixing, weights.contiguous(), *edges.arrays, edges.pieces


@compiled
def _force(given, kept, results, first, last):
    (g, w_in, w_out, mixing, weights, indptr, indices, starts), (lse, force) = given, results
    heads, dim, width = weights.shape[1], g.shape[1], w_out.shape[3]
    rows, edges = largest(starts, indptr, first, last)
    x, out, mix, pull = empty(rows, dim), empty(rows, dim), empty(rows, width), empty(rows, width)
    scratch = np.empty((heads, 2, rows, width), np.float32)
    a, p, c = by_edge(edges, heads), by_edge(edges, heads), by_edge(edges, heads)
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
            dots(q, k, indptr, indices, start, n, a, h)
        softmax(a, mixing, weights, indptr, start, n, p, c, lse)
        for h in range(heads):
            q, k = room[h, 0, at : at + rows], room[h, 1, at : at + rows]
            sums(c, h, q, k, indptr, indices, start, n, mix, pull)
            product(mix, w_out[0, h], out[:rows], width, h > 0)
            product(pull, w_out[1, h], out[:rows], width, True)
        copy(out[:n], force[start : start + n])


@compiled
def _gradient(given, kept, groups, sent, results, first, last):
    """Of every head in turn, with ``da`` and ``dC`` of the edges from :func:`through_softmax`::

    dmix = df W_Q^T                 dC_vu = dmix_v . k_u + dpull_u . q_v           dq_v = sum_u C_vu dpull_u + da_vu k_u
    dpull = df W_K^T                dW_Q = mix^T df + dq^T g                       dk_u = sum_v C_vu dmix_v + da_vu q_v
    """
    g, w_in, w_out, mixing, weights, indptr, indices, starts = given
    (dlse, df), (dg, dw, dmixing, dweights) = sent, results
    heads, dim, width = weights.shape[1], g.shape[1], w_out.shape[3]
    rows, edges = largest(starts, indptr, groups[first], groups[last])
    x, upstream, out = empty(rows, dim), empty(rows, dim), empty(rows, dim)
    back = np.empty((heads, 2, rows, width), np.float32)
    mix, pull = empty(rows, odd_lines(width)), empty(rows, odd_lines(width))  # read down their columns
    by_column = np.empty((2, dim // LANES, rows, LANES), np.float32)
    a, p, c = by_edge(edges, heads), by_edge(edges, heads), by_edge(edges, heads)
    da, dc, ds = by_edge(edges, heads), by_edge(edges, heads), by_edge(edges, heads)
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
                dots(kept[h, 0, at:], kept[h, 1, at:], indptr, indices, start, n, a, h)
            softmax(a, mixing, weights, indptr, start, n, p, c, no_lse)
            for h in range(heads):
                q, k, dmix, dpull = kept[h, 0, at:], kept[h, 1, at:], back[h, 0, :rows], back[h, 1, :rows]
                sums(c, h, q, k, indptr, indices, start, n, mix, pull)
                product(mix.T[:width], by_column[1], dw[group, 0, h], n, True)
                product(pull.T[:width], by_column[1], dw[group, 1, h], n, True)
                product(upstream, w_in[0, h], dmix, dim, False)
                product(upstream, w_in[1, h], dpull, dim, False)
                two_dots(dmix, k, dpull, q, indptr, indices, start, n, dc, h)
            through_softmax(a, p, dc, mixing, weights, indptr, start, n, dlse, da, ds, dmixing[group], dweights)
            for h in range(heads):
                q, k, dq, dk = kept[h, 0, at:], kept[h, 1, at:], mix, pull
                two_sums(c, back[h, 0], back[h, 1], da, q, k, h, indptr, indices, start, n, dq, dk)
                product(dq.T[:width], by_column[0], dw[group, 0, h], n, True)
                product(dk.T[:width], by_column[0], dw[group, 1, h], n, True)
                product(dq, w_out[0, h], out[:rows], width, h > 0)
                product(dk, w_out[1, h], out[:rows], width, True)
            copy(out[:n], dg[start : start + n])
