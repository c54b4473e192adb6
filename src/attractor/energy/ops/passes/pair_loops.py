"""Loops over all pairs of a few tokens, from tokens to probabilities and back: what passes over all pairs share.

A head's scores are ``(N, N)`` in rows of whole vectors, whose columns have their ``limits``: NEVER where no token is.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.passes.lanes import LANES, exp, fma, highest, load, maximum, minimum, splat, store, total
from attractor.energy.ops.passes.products import product, whole_vectors

NEVER = np.float32(torch.finfo(torch.float32).min / 2)  # of an excluded pair; finite, as rows without a key must stay


@compiled
def attend(x, w_in, h, beta, limits, live, include_self, q, k, across, p, lse):
    """Queries, keys, these across too, and probabilities of one head."""
    product(x, w_in[0, h], q, x.shape[1], False)
    product(x, w_in[1, h], k, x.shape[1], False)
    transpose(k, across, len(live))
    product(q, across, p, q.shape[1], False)
    softmax(limits, live, beta, include_self, p, lse)


@compiled
def look(there, include_self, limits, live):
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
def transpose(source, target, n):
    """The first ``n`` rows of ``source`` as columns, in panels."""
    for i in range(n):
        for y in range(source.shape[1]):
            target[i // LANES, y, i % LANES] = source[i, y]


@compiled
def softmax(limits, live, beta, include_self, p, lse):
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
def through_softmax(p, dlse, dp):
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
def scale(a, factor):
    for i in range(a.shape[0]):
        for y in range(0, a.shape[1], LANES):
            store(a, (i, y), load(a, (i, y)) * splat(factor))


@compiled
def dot(a, b, n):
    """The sum of all products of their first rows."""
    whole = splat(np.float32(0))
    for i in range(n):
        for y in range(0, a.shape[1], LANES):
            whole = fma(load(a, (i, y)), load(b, (i, y)), whole)
    return total(whole)
