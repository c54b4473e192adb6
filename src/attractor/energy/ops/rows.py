"""Compressed rows: edge lists sorted into them, and rows turned into columns, in time linear in the edges."""

from __future__ import annotations

import torch
from numba import njit, prange
from torch import Tensor


def compress(source: Tensor, target: Tensor, nodes: int, both: bool, loops: bool) -> tuple[Tensor, Tensor]:
    """``indptr`` int64 ``(N + 1,)`` and ``indices`` int32: of every target its sources, ascending, each once.

    ``both`` adds the reverse of every edge; ``loops`` says whether every node is its own source, or none.
    """
    filled = torch.zeros(nodes + 1, dtype=torch.int64)
    _count(source.numpy(), target.numpy(), both, loops, filled.numpy())
    indptr = filled.cumsum(0)
    indices = torch.empty(int(indptr[-1]), dtype=torch.int32)
    _place(source.numpy(), target.numpy(), both, loops, indptr[:-1].clone().numpy(), indices.numpy())
    kept = torch.zeros(nodes + 1, dtype=torch.int64)
    _sort(indptr.numpy(), indices.numpy(), kept.numpy())
    if int(kept.sum()) == len(indices):
        return indptr, indices
    tight = kept.cumsum(0)
    distinct = torch.empty(int(tight[-1]), dtype=torch.int32)
    _pack(indptr.numpy(), indices.numpy(), tight.numpy(), distinct.numpy())
    return tight, distinct


def transpose(indptr: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """The columns of a square pattern, as rows; ascending."""
    nodes = len(indptr) - 1
    flipped = torch.zeros(nodes + 1, dtype=torch.int64)
    flipped[1:] = torch.bincount(indices, minlength=nodes)
    flipped.cumsum_(0)
    columns = torch.empty_like(indices)
    _flip(indptr.numpy(), indices.numpy(), flipped[:-1].clone().numpy(), columns.numpy())
    return flipped, columns


@njit(cache=True, nogil=True)
def _count(source, target, both, loops, counts):
    for e in range(len(source)):
        if source[e] != target[e]:
            counts[target[e] + 1] += 1
            if both:
                counts[source[e] + 1] += 1
    if loops:
        counts[1:] += 1


@njit(cache=True, nogil=True)
def _place(source, target, both, loops, free, indices):
    for e in range(len(source)):
        u, v = source[e], target[e]
        if u != v:
            indices[free[v]] = u
            free[v] += 1
            if both:
                indices[free[u]] = v
                free[u] += 1
    if loops:
        for v in range(len(free)):
            indices[free[v]] = v


@njit(cache=True, nogil=True, parallel=True)
def _sort(indptr, indices, kept):
    """Sort every row, move what is distinct to its front, and count it."""
    for v in prange(len(indptr) - 1):
        row = indices[indptr[v] : indptr[v + 1]]
        row.sort()
        n = 0
        for i in range(len(row)):
            if n == 0 or row[i] != row[n - 1]:
                row[n] = row[i]
                n += 1
        kept[v + 1] = n


@njit(cache=True, nogil=True, parallel=True)
def _pack(indptr, indices, tight, distinct):
    for v in prange(len(indptr) - 1):
        n = tight[v + 1] - tight[v]
        distinct[tight[v] : tight[v + 1]] = indices[indptr[v] : indptr[v] + n]


@njit(cache=True, nogil=True)
def _flip(indptr, indices, free, columns):
    for v in range(len(indptr) - 1):
        for e in range(indptr[v], indptr[v + 1]):
            u = indices[e]
            columns[free[u]] = v
            free[u] += 1
