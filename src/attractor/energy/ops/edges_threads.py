"""Alignment along edges on the CPU: one compiled pass over the rows and one over the columns, on every core."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.long_sums import RUN, move
from attractor.energy.ops.threads import over_rows

Parts = tuple[Tensor, Tensor, Tensor]


def align(
    q: Tensor, k: Tensor, v: Tensor, indptr: Tensor, indices: Tensor, seen_indptr: Tensor, seen_indices: Tensor
) -> Parts:
    """``lse (N, H)``, ``P k`` and ``P^T v``; ``q, k, v (N, H, Y)`` contiguous."""
    lse, mix, pull = q.new_empty(q.shape[:2]), torch.empty_like(q), torch.empty_like(q)
    over_rows(_rows, indptr, indices, q, k, lse, mix)
    over_rows(_columns, seen_indptr, seen_indices, q, k, v, lse, pull)
    return lse, mix, pull


def gradient(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    indptr: Tensor,
    indices: Tensor,
    seen_indptr: Tensor,
    seen_indices: Tensor,
    lse: Tensor,
    mix: Tensor,
    dlse: Tensor,
    dmix: Tensor,
    dpull: Tensor,
) -> Parts:
    r"""``dq``, ``dk`` and ``dv`` from what flows back into the three results of :func:`align`::

    dP = dmix k^T + v dpull^T               r_v = sum_u P_vu dP_vu
    dS = P * (dP - r + dlse)                dq = dS k,   dk = dS^T q + P^T dmix,   dv = P dpull
    """
    dq, dk, dv = torch.empty_like(q), torch.empty_like(q), torch.empty_like(q)
    rest = torch.empty_like(lse)  # dlse - r
    over_rows(_gradient_rows, indptr, indices, q, k, v, lse, mix, dlse, dmix, dpull, rest, dq, dv)
    over_rows(_gradient_columns, seen_indptr, seen_indices, q, k, v, lse, rest, dmix, dpull, dk)
    return dq, dk, dv


@njit(inline="always")
def _dot(a: Any, b: Any, h: int) -> Any:
    total = a.dtype.type(0)
    for y in range(a.shape[1]):
        total += a[h, y] * b[h, y]
    return total


@compiled
def _rows(indptr, indices, q, k, lse, mix, first, last):
    """The highest score first, then the sums: faster than to scale down what is summed whenever a higher one comes."""
    heads, width = q.shape[1], q.shape[2]
    mixes = np.zeros((heads, width))  # of the runs before
    for v in range(first, last):
        lse[v] = 0
        mix[v] = 0
        if indptr[v] == indptr[v + 1]:
            continue
        begin, end = indptr[v], indptr[v + 1]
        for h in range(heads):
            highest, total, totals = lse.dtype.type(-math.inf), lse.dtype.type(0), 0.0
            for e in range(begin, end):
                highest = max(highest, _dot(q[v], k[indices[e]], h))
            for start in range(begin, end, RUN):
                if start > begin:
                    total, totals = lse.dtype.type(0), totals + total
                    move(mix[v, h], mixes[h])
                for e in range(start, min(start + RUN, end)):
                    u = indices[e]
                    p = math.exp(_dot(q[v], k[u], h) - highest)
                    total += p
                    for y in range(width):
                        mix[v, h, y] += p * k[u, h, y]
            if end - begin > RUN:
                total = lse.dtype.type(total + totals)
                move(mixes[h], mix[v, h])
            lse[v, h] = highest + math.log(total)
            for y in range(width):
                mix[v, h, y] /= total


@compiled
def _columns(indptr, indices, q, k, v, lse, pull, first, last):
    heads, width = q.shape[1], q.shape[2]
    pulls = np.zeros((heads, width))
    for u in range(first, last):
        pull[u] = 0
        begin, end = indptr[u], indptr[u + 1]
        for start in range(begin, end, RUN):
            if start > begin:
                move(pull[u], pulls)
            for e in range(start, min(start + RUN, end)):
                t = indices[e]
                for h in range(heads):
                    p = math.exp(_dot(q[t], k[u], h) - lse[t, h])
                    for y in range(width):
                        pull[u, h, y] += p * v[t, h, y]
        if end - begin > RUN:
            move(pulls, pull[u])


@compiled
def _gradient_rows(indptr, indices, q, k, v, lse, mix, dlse, dmix, dpull, rest, dq, dv, first, last):
    """``dq = sum_u P dP k + (dlse - r) mix``, r summed along the way."""
    heads, width = q.shape[1], q.shape[2]
    rests, dqs, dvs = np.zeros(heads), np.zeros((heads, width)), np.zeros((heads, width))
    for t in range(first, last):
        rest[t] = dlse[t]
        dq[t] = 0
        dv[t] = 0
        begin, end = indptr[t], indptr[t + 1]
        for start in range(begin, end, RUN):
            if start > begin:
                move(rest[t], rests)
                move(dq[t], dqs)
                move(dv[t], dvs)
            for e in range(start, min(start + RUN, end)):
                u = indices[e]
                for h in range(heads):
                    p = math.exp(_dot(q[t], k[u], h) - lse[t, h])
                    dp = p * (_dot(dmix[t], k[u], h) + _dot(v[t], dpull[u], h))
                    rest[t, h] -= dp
                    for y in range(width):
                        dq[t, h, y] += dp * k[u, h, y]
                        dv[t, h, y] += p * dpull[u, h, y]
        if end - begin > RUN:
            move(rests, rest[t])
            move(dqs, dq[t])
            move(dvs, dv[t])
        for h in range(heads):
            for y in range(width):
                dq[t, h, y] += rest[t, h] * mix[t, h, y]


@compiled
def _gradient_columns(indptr, indices, q, k, v, lse, rest, dmix, dpull, dk, first, last):
    heads, width = q.shape[1], q.shape[2]
    dks = np.zeros((heads, width))
    for u in range(first, last):
        dk[u] = 0
        begin, end = indptr[u], indptr[u + 1]
        for start in range(begin, end, RUN):
            if start > begin:
                move(dk[u], dks)
            for e in range(start, min(start + RUN, end)):
                t = indices[e]
                for h in range(heads):
                    p = math.exp(_dot(q[t], k[u], h) - lse[t, h])
                    ds = p * (_dot(dmix[t], k[u], h) + _dot(v[t], dpull[u], h) + rest[t, h])
                    for y in range(width):
                        dk[u, h, y] += ds * q[t, h, y] + p * dmix[t, h, y]
        if end - begin > RUN:
            move(dks, dk[u])
