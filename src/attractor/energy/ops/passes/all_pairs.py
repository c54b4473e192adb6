"""Energy attention of all pairs among so few tokens that what one head makes of them stays in the cache of a core.

One compiled pass, from tokens to forces: queries, keys and scores are made and used up a head at a time, and made anew
for gradients. In float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.energy.ops.alignment import align
from attractor.energy.ops.attention import merge_heads, split_heads
from attractor.energy.ops.eager import is_float32
from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.passes.lanes import (
    FAST,
    LANES,
    exp,
    fma,
    highest,
    load,
    maximum,
    minimum,
    splat,
    store,
    total,
)
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
from attractor.energy.ops.threads import GROUPS, compiled, over_parts, shares

if TYPE_CHECKING:
    from attractor.energy.base import Context

SCORES, WIDEST = 2**18, 128  # of one head, 1 MB, and its width: what a core's cache holds
SMALLEST = 2**22  # multiplications worth laying weights out anew for
NEVER = np.float32(torch.finfo(torch.float32).min / 2)  # of an excluded pair; finite, as rows without a key must stay


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
        aligned = align(q * beta[:, None, None], k, self.context, self.include_self)
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
        over_parts(_force, batch * split, *given, self.include_self, lse, force, cells=n * w.numel())
        return (lse, force.sum(dim=0) if split > 1 else force[0]), ()

    def gradients(self, operands: Tensors, kept: Tensors, upstream: tuple[Tensor | None, ...]) -> Tensors:
        """Another pass, over as many groups of samples as threads are kept busy with."""
        (g, w, beta), (dlse, df) = operands, upstream
        batch, n, _ = g.shape
        dlse = g.new_zeros(batch, len(beta), n) if dlse is None or not self.energy else dlse.contiguous()
        df = torch.zeros_like(g) if df is None or not self.force else df.contiguous()
        split = self._split(g, w)
        groups = shares(batch * split)
        given = *self._prepared(g, w, beta), self.include_self, groups, dlse, df
        count = len(groups) - 1
        results = g.new_empty(split, *g.shape), g.new_zeros(count, *w.shape), g.new_zeros(count, len(beta))
        over_parts(_gradient, count, *given, *results, cells=n * w.numel())
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
def _force(g, w_in, w_out, beta, there, include_self, lse, force, first, last):
    n, dim, heads, width = g.shape[1], g.shape[2], len(beta), w_out.shape[3]
    split, rows = len(force), even(n)
    x, out, q, k = empty(rows, dim), empty(rows, dim), empty(rows, width), empty(rows, width)
    mix, pull, p = empty(rows, width), empty(rows, width), empty(rows, odd_lines(n))
    across, by_column, limits = _panels(width, n), _panels(rows, width), np.empty(whole_vectors(n), np.float32)
    live, no_lse = np.empty(n, np.bool_), np.empty(0, np.float32)
    for part in range(first, last):
        b, first_head, last_head = part // split, part % split * heads // split, (part % split + 1) * heads // split
        copy(g[b], x)
        _look(there[b], include_self, limits, live)
        for h in range(first_head, last_head):
            wanted = lse[b, h] if len(lse) else no_lse
            _attend(x, w_in, h, beta[h], limits, live, include_self, q, k, across, p, wanted)
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
def _gradient(g, w_in, w_out, beta, there, include_self, groups, dlse, df, dg, dw, dbeta, first, last):
    n, dim, heads, width = g.shape[1], g.shape[2], len(beta), w_out.shape[3]
    split, rows = len(dg), even(n)
    x, upstream, out = empty(rows, dim), empty(rows, dim), empty(rows, dim)
    q, k, dmix, dpull = empty(rows, width), empty(rows, width), empty(rows, width), empty(rows, width)
    # What follows is read down its columns: first what queries and keys come to, then their gradients.
    to_q, to_k = empty(2 * rows, odd_lines(width)), empty(2 * rows, odd_lines(width))
    p, dp = empty(rows, odd_lines(n)), empty(rows, odd_lines(n))
    outer, across, limits = _panels(2 * rows, dim), _panels(width, n), np.empty(whole_vectors(n), np.float32)
    q_by_column, k_by_column, by_column = _panels(rows, width), _panels(rows, width), _panels(rows, width)
    live, no_lse = np.empty(n, np.bool_), np.empty(0, np.float32)
    mix, pull, dq, dk = to_q[:rows], to_k[:rows], to_q[rows:], to_k[rows:]
    for group in range(first, last):
        for part in range(groups[group], groups[group + 1]):
            b, first_head, last_head = part // split, part % split * heads // split, (part % split + 1) * heads // split
            copy(g[b], x)
            copy(df[b], upstream)
            to_panels(upstream, outer, 0)
            to_panels(x, outer, rows)
            _look(there[b], include_self, limits, live)
            for h in range(first_head, last_head):
                _attend(x, w_in, h, beta[h], limits, live, include_self, q, k, across, p, no_lse)
                to_panels(k, k_by_column, 0)
                to_panels(q, q_by_column, 0)
                product(p, k_by_column, mix, n, False)
                product(p.T[:rows], q_by_column, pull, n, False)

                product(upstream, w_in[0, h], dmix, dim, False)
                product(upstream, w_in[1, h], dpull, dim, False)
                product(dmix, across, dp, width, False)
                _transpose(dpull, across, n)
                product(q, across, dp, width, True)
                _through_softmax(p, dlse[b, h], dp)
                product(dp, k_by_column, dq, n, False)
                dbeta[group, h] += _dot(q, dq, n)
                _scale(dq, beta[h])
                to_panels(dpull, by_column, 0)
                product(p, by_column, dq, n, True)
                product(dp.T[:rows], q_by_column, dk, n, False)
                _scale(dk, beta[h])
                to_panels(dmix, by_column, 0)
                product(p.T[:rows], by_column, dk, n, True)

                product(to_q.T[:width], outer, dw[group, 0, h], 2 * rows, True)
                product(to_k.T[:width], outer, dw[group, 1, h], 2 * rows, True)
                product(dq, w_out[0, h], out, width, h > first_head)
                product(dk, w_out[1, h], out, width, True)
            copy(out[:n], dg[part % split, b])


@compiled
def _attend(x, w_in, h, beta, limits, live, include_self, q, k, across, p, lse):
    """Queries, keys, these across too, and probabilities of one head."""
    product(x, w_in[0, h], q, x.shape[1], False)
    product(x, w_in[1, h], k, x.shape[1], False)
    _transpose(k, across, len(live))
    product(q, across, p, q.shape[1], False)
    _softmax(limits, live, beta, include_self, p, lse)


@compiled
def _panels(rows, width):
    return np.zeros((whole_vectors(width) // LANES, rows, LANES), np.float32)


@compiled
def _look(there, include_self, limits, live):
    """What scores of every key are at the most, and which tokens see somebody."""
    limits[:] = NEVER
    count = 0 if include_self else -1
    for i in range(len(there)):
        count += there[i]
        if there[i]:
            limits[i] = np.inf
    for i in range(len(there)):
        live[i] = there[i] and count > 0


@compiled
def _transpose(source, target, n):
    """The first ``n`` rows of ``source`` as columns, in panels."""
    for i in range(n):
        for y in range(source.shape[1]):
            target[i // LANES, y, i % LANES] = source[i, y]


@compiled
def _softmax(limits, live, beta, include_self, p, lse):
    """``q_C . k_B`` to probabilities, 0 in rows that see nobody; log-sum-exps where there is room for them."""
    for i in range(len(live)):
        limit = limits[i]
        if not include_self:
            limits[i] = NEVER
        top, terms = splat(NEVER), splat(np.float32(0))
        for j in range(0, len(limits), LANES):
            score = minimum(load(p, (i, j)) * splat(beta), load(limits, (j,)))
            top = maximum(top, score)
            store(p, (i, j), score)
        peak = highest(top)
        for j in range(0, len(limits), LANES):
            term = exp(load(p, (i, j)) - splat(peak))
            terms = terms + term
            store(p, (i, j), term)
        whole = total(terms)
        share = splat(np.float32(1) / whole if live[i] else np.float32(0))
        for j in range(0, len(limits), LANES):
            store(p, (i, j), load(p, (i, j)) * share)
        if len(lse):
            lse[i] = peak + np.float32(math.log(whole)) if live[i] else np.float32(0)
        limits[i] = limit


@compiled
def _through_softmax(p, dlse, dp):
    """``dS = P * (dP - r + dlse)`` in the place of dP, ``r_C = sum_B P_CB dP_CB``."""
    columns = whole_vectors(len(dlse))
    for i in range(len(dlse)):
        r = splat(np.float32(0))
        for j in range(0, columns, LANES):
            r = fma(load(p, (i, j)), load(dp, (i, j)), r)
        rest = splat(dlse[i] - total(r))
        for j in range(0, columns, LANES):
            store(dp, (i, j), load(p, (i, j)) * (load(dp, (i, j)) + rest))


@compiled
def _scale(a, factor):
    for i in range(a.shape[0]):
        for y in range(0, a.shape[1], LANES):
            store(a, (i, y), load(a, (i, y)) * splat(factor))


@compiled
def _dot(a, b, n):
    """The sum of all products of their first rows."""
    whole = splat(np.float32(0))
    for i in range(n):
        for y in range(0, a.shape[1], LANES):
            whole = fma(load(a, (i, y)), load(b, (i, y)), whole)
    return total(whole)
