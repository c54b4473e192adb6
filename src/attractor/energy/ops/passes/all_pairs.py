"""Energy attention of all pairs among so few tokens that what one head makes of them stays in the cache of a core.

One compiled pass, from tokens to forces: queries, keys and scores are made and used up a head at a time, and made anew
for gradients. In float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.energy.ops.alignment import Surroundings, align
from attractor.energy.ops.attention import merge_heads, split_heads
from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.eager import is_float32
from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.passes.lanes import FAST, LANES
from attractor.energy.ops.passes.pair_loops import attend, dot, look, scale, through_softmax, transpose
from attractor.energy.ops.passes.passed import Tensors
from attractor.energy.ops.passes.products import (
    blank,
    copy,
    empty,
    even,
    odd_lines,
    panels,
    product,
    to_panels,
    whole_vectors,
)
from attractor.energy.ops.threads import GROUPS, over_parts, shares

if TYPE_CHECKING:
    from attractor.energy.context import Context

SCORES, WIDEST = 2**18, 128  # of one head, 1 MB, and its width: what a core's cache holds
SMALLEST = 2**22  # multiplications worth laying weights out anew for


@dataclass(frozen=True)
class AllPairs:
    """``lse (B, H, N)`` and ``-dE/dg (B, N, D)`` of :class:`attractor.energy.EnergyAttention`, without biases.

    Operands are ``g (B, N, D)``, ``w (2, H, Y, D)`` and ``beta (H,)``; the ``context`` may say which tokens are there.
    What is not asked for, ``energy`` or ``force``, is empty.
    """

    context: Context | None
    include_self: bool
    energy: bool = True
    force: bool = True

    @staticmethod
    def takes(g: Tensor, w: Tensor) -> bool:
        """Whether ``g`` and ``w`` are for this pass."""
        return (
            FAST
            and is_float32(g, w)
            and w.shape[2] % LANES == w.shape[3] % LANES == 0
            and w.shape[2] <= WIDEST
            and 0 < g.shape[1] ** 2 <= SCORES
            and g.shape[0] * g.shape[1] * w.numel() >= SMALLEST
        )

    @staticmethod
    def with_biases(g: Tensor, w: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and weights with ``bias (2, H, Y)`` as the weights of a further number, which is 1; then zeros."""
        g = F.pad(F.pad(g, (0, 1), value=1), (0, LANES - 1))
        return g, F.pad(torch.cat([w, bias.unsqueeze(-1)], dim=-1), (0, LANES - 1))

    def plain(self, g: Tensor, w: Tensor, beta: Tensor) -> Tensors:
        """By alignment of queries and keys, which it holds."""
        q, k = (split_heads(linear(g, each), len(beta)) for each in w.flatten(1, 2))
        aligned = align(q * beta[:, None, None], k, Surroundings(self.context, self.include_self))
        pull = aligned.pull / beta[:, None, None]
        mixed = (linear(merge_heads(t), each.T) for t, each in zip((aligned.mix, pull), w.flatten(1, 2), strict=True))
        return aligned.lse, sum(mixed, start=torch.zeros_like(g))

    def results(self, g: Tensor, w: Tensor, beta: Tensor, keep: bool) -> tuple[Tensors, Tensors]:
        """One pass; nothing is kept."""
        batch, n, _ = g.shape
        split = self._split(g, w)
        lse = g.new_empty(batch if self.energy else 0, len(beta), n)
        force = g.new_empty(split, batch if self.force else 0, *g.shape[1:])
        given = self._prepared(g, w, beta)
        over_parts(_force, batch * split, given, self.include_self, (lse, force), cells=n * w.numel())
        return (lse, force.sum(dim=0) if split > 1 else force[0]), ()

    def gradients(self, operands: Tensors, kept: Tensors, upstream: tuple[Tensor | None, ...]) -> Tensors:
        """Another pass, over as many groups of samples as threads are kept busy with."""
        (g, w, beta), (dlse, df) = operands, upstream
        batch, n, _ = g.shape
        dlse = g.new_zeros(batch, len(beta), n) if dlse is None or not self.energy else dlse.contiguous()
        df = torch.zeros_like(g) if df is None or not self.force else df.contiguous()
        split = self._split(g, w)
        groups = shares(batch * split)
        count = len(groups) - 1
        given = self._prepared(g, w, beta), self.include_self, groups, (dlse, df)
        results = g.new_empty(split, *g.shape), g.new_zeros(count, *w.shape), g.new_zeros(count, len(beta))
        over_parts(_gradient, count, *given, results, cells=n * w.numel())
        return tuple(t.sum(dim=0) for t in results)

    def _split(self, g: Tensor, w: Tensor) -> int:
        """Into how many parts the heads of every sample are cut, where samples alone leave threads idle."""
        wanted = GROUPS * torch.get_num_threads()
        return 1 if len(g) >= wanted else min(w.shape[1], -(-wanted // max(1, len(g))))

    def _prepared(self, g: Tensor, w: Tensor, beta: Tensor) -> Tensors:
        """The operands as both passes read them, and which tokens are there."""
        there = torch.ones(g.shape[:2], dtype=torch.bool)
        if self.context is not None and self.context.tokens is not None:
            there &= self.context.tokens
        return g.contiguous(), *panels(w), beta.contiguous(), there


@compiled
def _force(given, include_self, results, first, last):
    (g, w_in, w_out, beta, there), (lse, force) = given, results
    n, dim, heads, width = g.shape[1], g.shape[2], len(beta), w_out.shape[3]
    split, rows = len(force), even(n)
    x, out, q, k = empty(rows, dim), empty(rows, dim), empty(rows, width), empty(rows, width)
    mix, pull, p = empty(rows, width), empty(rows, width), empty(rows, odd_lines(n))
    across, by_column, limits = blank(width, n), blank(rows, width), np.empty(whole_vectors(n), np.float32)
    live, no_lse = np.empty(n, np.bool_), np.empty(0, np.float32)
    for part in range(first, last):
        b, first_head, last_head = part // split, part % split * heads // split, (part % split + 1) * heads // split
        copy(g[b], x)
        look(there[b], include_self, limits, live)
        for h in range(first_head, last_head):
            wanted = lse[b, h] if len(lse) else no_lse
            attend(x, w_in, h, beta[h], limits, live, include_self, q, k, across, p, wanted)
            if force.shape[1]:
                to_panels(k, by_column, 0)
                product(p, by_column, mix, n, False)
                to_panels(q, by_column, 0)
                product(p.T[:rows], by_column, pull, n, False)
                product(mix, w_out[0, h], out, width, h > first_head)
                product(pull, w_out[1, h], out, width, True)
        if force.shape[1]:
            copy(out[:n], force[part % split, b])


@compiled
def _gradient(given, include_self, groups, sent, results, first, last):
    """Of every head in turn::

    dmix = df W_Q^T                 dP = dmix k^T + q dpull^T           dq = beta dS k + P dpull
    dpull = df W_K^T                dS = P * (dP - r + dlse)            dk = beta dS^T q + P^T dmix
    dW_Q = mix^T df + dq^T g        dW_K = pull^T df + dk^T g           dbeta = sum_C q_C . (dS k)_C
    """
    (g, w_in, w_out, beta, there), (dlse, df), (dg, dw, dbeta) = given, sent, results
    n, dim, heads, width = g.shape[1], g.shape[2], len(beta), w_out.shape[3]
    split, rows = len(dg), even(n)
    x, upstream, out = empty(rows, dim), empty(rows, dim), empty(rows, dim)
    q, k, dmix, dpull = empty(rows, width), empty(rows, width), empty(rows, width), empty(rows, width)
    # What follows is read down its columns: first what queries and keys come to, then their gradients.
    to_q, to_k = empty(2 * rows, odd_lines(width)), empty(2 * rows, odd_lines(width))
    p, dp = empty(rows, odd_lines(n)), empty(rows, odd_lines(n))
    outer, across, limits = blank(2 * rows, dim), blank(width, n), np.empty(whole_vectors(n), np.float32)
    q_by_column, k_by_column, by_column = blank(rows, width), blank(rows, width), blank(rows, width)
    live, no_lse = np.empty(n, np.bool_), np.empty(0, np.float32)
    mix, pull, dq, dk = to_q[:rows], to_k[:rows], to_q[rows:], to_k[rows:]
    for group in range(first, last):
        for part in range(groups[group], groups[group + 1]):
            b, first_head, last_head = part // split, part % split * heads // split, (part % split + 1) * heads // split
            copy(g[b], x)
            copy(df[b], upstream)
            to_panels(upstream, outer, 0)
            to_panels(x, outer, rows)
            look(there[b], include_self, limits, live)
            for h in range(first_head, last_head):
                attend(x, w_in, h, beta[h], limits, live, include_self, q, k, across, p, no_lse)
                to_panels(k, k_by_column, 0)
                to_panels(q, q_by_column, 0)
                product(p, k_by_column, mix, n, False)
                product(p.T[:rows], q_by_column, pull, n, False)

                product(upstream, w_in[0, h], dmix, dim, False)
                product(upstream, w_in[1, h], dpull, dim, False)
                product(dmix, across, dp, width, False)
                transpose(dpull, across, n)
                product(q, across, dp, width, True)
                through_softmax(p, dlse[b, h], dp)
                product(dp, k_by_column, dq, n, False)
                dbeta[group, h] += dot(q, dq, n)
                scale(dq, beta[h])
                to_panels(dpull, by_column, 0)
                product(p, by_column, dq, n, True)
                product(dp.T[:rows], q_by_column, dk, n, False)
                scale(dk, beta[h])
                to_panels(dmix, by_column, 0)
                product(p.T[:rows], by_column, dk, n, True)

                product(to_q.T[:width], outer, dw[group, 0, h], 2 * rows, True)
                product(to_k.T[:width], outer, dw[group, 1, h], 2 * rows, True)
                product(dq, w_out[0, h], out, width, h > first_head)
                product(dk, w_out[1, h], out, width, True)
            copy(out[:n], dg[part % split, b])
