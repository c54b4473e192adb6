"""Alignment along edges on the CPU: one compiled pass over the rows and one over the columns, on every core."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import torch
from numba import get_num_threads, njit, prange, set_num_threads
from numba.core import config as numba_config
from torch import Tensor

config: Any = numba_config  # whose attributes come into being at run time
Parts = tuple[Tensor, Tensor, Tensor]

PARTS = 16  # of the rows for each thread: hubs and leaves lie unevenly
FAST = {"reassoc", "contract", "nsz", "arcp"}  # sums may be regrouped; NaN and infinity stay what they are
LOCK = threading.Lock()  # not every threading layer of numba may be entered twice at once


def align(
    q: Tensor, k: Tensor, v: Tensor, indptr: Tensor, indices: Tensor, seen_indptr: Tensor, seen_indices: Tensor
) -> Parts:
    """``lse (N, H)``, ``P k`` and ``P^T v``; ``q, k, v (N, H, Y)`` contiguous."""
    lse, mix, pull = q.new_empty(q.shape[:2]), torch.empty_like(q), torch.empty_like(q)
    _run(_rows, q, k, indptr, indices, lse, mix)
    _run(_columns, q, k, v, lse, seen_indptr, seen_indices, pull)
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
    _run(_gradient_rows, q, k, v, lse, mix, dlse, dmix, dpull, indptr, indices, rest, dq, dv)
    _run(_gradient_columns, q, k, v, lse, rest, dmix, dpull, seen_indptr, seen_indices, dk)
    return dq, dk, dv


def _run(kernel: Callable[..., None], *tensors: Tensor) -> None:
    """Call a kernel on as many threads as torch has, compiled with vectors across unrolled loops (twice as fast)."""
    with LOCK:
        before = get_num_threads(), config.SLP_VECTORIZE
        set_num_threads(max(1, min(torch.get_num_threads(), config.NUMBA_NUM_THREADS)))
        config.SLP_VECTORIZE = 1
        try:
            kernel(*(t.detach().numpy() for t in tensors), PARTS * get_num_threads())
        finally:
            set_num_threads(before[0])
            config.SLP_VECTORIZE = before[1]


@njit(inline="always")
def _dot(a: Any, b: Any, h: int) -> Any:
    total = a[h, 0] * b[h, 0]
    for y in range(1, a.shape[1]):
        total += a[h, y] * b[h, y]
    return total


@njit(cache=True)
def _bounds(indptr: Any, part: int, parts: int) -> tuple[int, int]:
    """The rows of one part, all parts having about as many rows and edges together."""
    return _bound(indptr, part, parts), _bound(indptr, part + 1, parts)


@njit(cache=True)
def _bound(indptr: Any, part: int, parts: int) -> int:
    """The first row v with ``indptr[v] + v`` at least this share of all."""
    last = len(indptr) - 1
    wanted = (indptr[last] + last) * part // parts
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        if indptr[middle] + middle < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@njit(parallel=True, nogil=True, cache=True, fastmath=FAST)
def _rows(q, k, indptr, indices, lse, mix, parts):
    """Softmax on line: whenever a higher score comes, what was summed so far is scaled down."""
    heads, width = q.shape[1], q.shape[2]
    for part in prange(parts):
        first, last = _bounds(indptr, part, parts)
        for v in range(first, last):
            for h in range(heads):
                highest, total = lse.dtype.type(-math.inf), lse.dtype.type(0)
                mix[v, h] = 0
                for e in range(indptr[v], indptr[v + 1]):
                    u = indices[e]
                    s = _dot(q[v], k[u], h)
                    if s > highest:
                        scale = math.exp(highest - s)
                        total *= scale
                        for y in range(width):
                            mix[v, h, y] *= scale
                        highest = s
                    p = math.exp(s - highest)
                    total += p
                    for y in range(width):
                        mix[v, h, y] += p * k[u, h, y]
                lse[v, h] = 0
                if indptr[v] < indptr[v + 1]:
                    lse[v, h] = highest + math.log(total)
                    for y in range(width):
                        mix[v, h, y] /= total


@njit(parallel=True, nogil=True, cache=True, fastmath=FAST)
def _columns(q, k, v, lse, indptr, indices, pull, parts):
    heads, width = q.shape[1], q.shape[2]
    for part in prange(parts):
        first, last = _bounds(indptr, part, parts)
        for u in range(first, last):
            pull[u] = 0
            for e in range(indptr[u], indptr[u + 1]):
                t = indices[e]
                for h in range(heads):
                    p = math.exp(_dot(q[t], k[u], h) - lse[t, h])
                    for y in range(width):
                        pull[u, h, y] += p * v[t, h, y]


@njit(parallel=True, nogil=True, cache=True, fastmath=FAST)
def _gradient_rows(q, k, v, lse, mix, dlse, dmix, dpull, indptr, indices, rest, dq, dv, parts):
    """``dq = sum_u P dP k + (dlse - r) mix``, r summed along the way."""
    heads, width = q.shape[1], q.shape[2]
    for part in prange(parts):
        first, last = _bounds(indptr, part, parts)
        for t in range(first, last):
            dq[t] = 0
            dv[t] = 0
            for h in range(heads):
                r = lse.dtype.type(0)
                for e in range(indptr[t], indptr[t + 1]):
                    u = indices[e]
                    p = math.exp(_dot(q[t], k[u], h) - lse[t, h])
                    dp = p * (_dot(dmix[t], k[u], h) + _dot(v[t], dpull[u], h))
                    r += dp
                    for y in range(width):
                        dq[t, h, y] += dp * k[u, h, y]
                        dv[t, h, y] += p * dpull[u, h, y]
                rest[t, h] = dlse[t, h] - r
                for y in range(width):
                    dq[t, h, y] += rest[t, h] * mix[t, h, y]


@njit(parallel=True, nogil=True, cache=True, fastmath=FAST)
def _gradient_columns(q, k, v, lse, rest, dmix, dpull, indptr, indices, dk, parts):
    heads, width = q.shape[1], q.shape[2]
    for part in prange(parts):
        first, last = _bounds(indptr, part, parts)
        for u in range(first, last):
            dk[u] = 0
            for e in range(indptr[u], indptr[u + 1]):
                t = indices[e]
                for h in range(heads):
                    p = math.exp(_dot(q[t], k[u], h) - lse[t, h])
                    ds = p * (_dot(dmix[t], k[u], h) + _dot(v[t], dpull[u], h) + rest[t, h])
                    for y in range(width):
                        dk[u, h, y] += ds * q[t, h, y] + p * dmix[t, h, y]
