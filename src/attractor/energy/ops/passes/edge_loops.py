"""Loops over the edges of a piece, from queries and keys to what they come to and back: what passes along edges share.

A piece has ``n`` tokens from ``start`` on, whose edges stand side by side: numbers of edges are ``(E, Z)``, Z the heads
in whole vectors.
"""

from __future__ import annotations

import math

import numpy as np

from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.passes.lanes import LANES, exp, fma, load, maximum, splat, store, total
from attractor.energy.ops.passes.products import even, whole_vectors

INTO, INTO_T, BACK, BACK_T = range(4)  # matrices of ``mixing (4, H, Z)``, by which heads share their scores


@compiled
def largest(starts, indptr, first, last):
    """Rows for the tokens of the largest of these pieces, and for the edges of the one that has the most."""
    tokens, edges = 0, 0
    for piece in range(first, last):
        tokens = max(tokens, starts[piece + 1] - starts[piece])
        edges = max(edges, indptr[starts[piece + 1]] - indptr[starts[piece]])
    return even(tokens), edges


@compiled
def by_edge(edges, heads):
    """Room for a number of every edge and head; zeros fill the last vector of heads."""
    return np.zeros((edges, whole_vectors(heads)), np.float32)


@compiled
def dots(q, k, indptr, indices, start, n, a, h):
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
def softmax(a, mixing, weights, indptr, start, n, p, c, lse):
    """``P`` of scores ``S_o = w_o sum_h into_ho a_h``, ``C_h = sum_o back_ho w_o P_o``, and ``lse`` where wanted."""
    heads, offset = weights.shape[1], indptr[start]
    w, tops, totals = by_edge(1, heads), by_edge(1, heads), by_edge(1, heads)
    for v in range(n):
        edges = range(indptr[start + v] - offset, indptr[start + v + 1] - offset)
        for z in range(0, p.shape[1], LANES):
            top, whole = splat(np.float32(-np.inf)), splat(np.float32(0))
            for e in edges:
                w[0, :heads] = weights[e + offset]
                score = _mixed(a, e, mixing[INTO], z) * load(w, (0, z))
                top = maximum(top, score)
                store(p, (e, z), score)
            for e in edges:
                term = exp(load(p, (e, z)) - top)
                whole = whole + term
                store(p, (e, z), term)
            for e in edges:
                store(p, (e, z), load(p, (e, z)) / whole)
            store(tops, (0, z), top)
            store(totals, (0, z), whole)
        if len(lse):
            for h in range(heads):
                lse[start + v, h] = tops[0, h] + math.log(totals[0, h]) if len(edges) else np.float32(0)
        for e in edges:
            for h in range(heads):
                w[0, h] = weights[e + offset, h] * p[e, h]
            for z in range(0, p.shape[1], LANES):
                store(c, (e, z), _mixed(w, 0, mixing[BACK_T], z))


@compiled
def sums(c, h, q, k, indptr, indices, start, n, mix, pull):
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
def two_dots(dmix, k, dpull, q, indptr, indices, start, n, dc, h):
    """``dC_vu = dmix_v . k_u + dpull_u . q_v`` of every edge on which v sees u."""
    for v in range(n):
        for e in range(indptr[start + v], indptr[start + v + 1]):
            u, whole = indices[e] - start, splat(np.float32(0))
            for y in range(0, q.shape[1], LANES):
                whole = fma(load(dmix, (v, y)), load(k, (u, y)), whole)
                whole = fma(load(dpull, (u, y)), load(q, (v, y)), whole)
            dc[e - indptr[start], h] = total(whole)


@compiled
def through_softmax(a, p, dc, mixing, weights, indptr, start, n, dlse, da, ds, dmixing, dweights):
    """From ``dC`` and the gradient of log-sum-exps those of ``a``, of the mixing and of the weights.

    ::

        dP_o = w_o D_o,  D_o = sum_h back_ho dC_h       dS_o = P_o (dP_o - sum_e P_o dP_o + dlse_o)
        dw_o = P_o D_o + dS_o sum_h into_ho a_h         da_h = sum_o into_ho w_o dS_o
    """
    heads, offset = weights.shape[1], indptr[start]
    w, dw, ends = by_edge(1, heads), by_edge(1, heads), by_edge(1, heads)
    for v in range(n):
        edges = range(indptr[start + v] - offset, indptr[start + v + 1] - offset)
        if len(dlse):
            ends[0, :heads] = dlse[start + v]
        for z in range(0, p.shape[1], LANES):
            rest = load(ends, (0, z))
            for e in edges:
                w[0, :heads] = weights[e + offset]
                dp = _mixed(dc, e, mixing[BACK], z) * load(w, (0, z))
                rest = rest - load(p, (e, z)) * dp
                store(ds, (e, z), dp)
            for e in edges:
                store(ds, (e, z), load(p, (e, z)) * (load(ds, (e, z)) + rest))
        for e in edges:
            w[0, :heads] = weights[e + offset]
            for z in range(0, p.shape[1], LANES):
                share, score = load(p, (e, z)), load(ds, (e, z))
                store(dw, (0, z), fma(score, _mixed(a, e, mixing[INTO], z), share * _mixed(dc, e, mixing[BACK], z)))
                score, share = score * load(w, (0, z)), share * load(w, (0, z))
                for h in range(heads):
                    store(dmixing, (0, h, z), fma(splat(a[e, h]), score, load(dmixing, (0, h, z))))
                    store(dmixing, (1, h, z), fma(splat(dc[e, h]), share, load(dmixing, (1, h, z))))
                store(ds, (e, z), score)
            dweights[e + offset] = dw[0, :heads]
            for z in range(0, p.shape[1], LANES):
                store(da, (e, z), _mixed(ds, e, mixing[INTO_T], z))


@compiled
def two_sums(c, dmix, dpull, da, q, k, h, indptr, indices, start, n, dq, dk):
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
