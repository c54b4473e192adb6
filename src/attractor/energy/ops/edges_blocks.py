"""Alignment along edges by torch alone, for devices other than the CPU: rows in blocks of a bounded number of edges."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

Parts = tuple[Tensor, Tensor, Tensor]

BLOCK = 2**24  # numbers gathered at once: kernels are launched one by one and want to be large


def align(
    q: Tensor, k: Tensor, v: Tensor, indptr: Tensor, indices: Tensor, seen_indptr: Tensor, seen_indices: Tensor
) -> Parts:
    """As :func:`attractor.energy.ops.edges_threads.align`."""
    lse, mix, pull = q.new_zeros(q.shape[:2]), torch.zeros_like(q), torch.zeros_like(q)
    for row, at, lengths in _blocks(q, indptr):
        u = indices[at].long()
        keys = k[u]
        scores = (q[row].repeat_interleave(lengths, dim=0) * keys).sum(dim=-1)
        highest = _over_rows("max", scores, lengths).clamp(min=torch.finfo(q.dtype).min)
        p = (scores - highest.repeat_interleave(lengths, dim=0)).exp()
        total = _over_rows("sum", p, lengths)
        seeing = (lengths > 0).unsqueeze(-1)
        lse[row] = torch.where(seeing, highest + total.log(), 0)
        p = p / total.repeat_interleave(lengths, dim=0)
        mix[row] = _over_rows("sum", p.unsqueeze(-1) * keys, lengths)
        pull.index_add_(0, u, p.unsqueeze(-1) * v[row].repeat_interleave(lengths, dim=0))
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
    """As :func:`attractor.energy.ops.edges_threads.gradient`."""
    dq, dk, dv = torch.zeros_like(q), torch.zeros_like(q), torch.zeros_like(q)
    for row, at, lengths in _blocks(q, indptr):
        u = indices[at].long()
        keys, pulls = k[u], dpull[u]
        query, value, dm, norm, free = (t[row].repeat_interleave(lengths, dim=0) for t in (q, v, dmix, lse, dlse))
        p = ((query * keys).sum(dim=-1) - norm).exp()
        dp = (dm * keys).sum(dim=-1) + (value * pulls).sum(dim=-1)
        r = _over_rows("sum", p * dp, lengths).repeat_interleave(lengths, dim=0)
        ds = (p * (dp - r + free)).unsqueeze(-1)
        p = p.unsqueeze(-1)
        dq[row] = _over_rows("sum", ds * keys, lengths)
        dv[row] = _over_rows("sum", p * pulls, lengths)
        dk.index_add_(0, u, ds * query + p * dm)
    return dq, dk, dv


def _blocks(q: Tensor, indptr: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Consecutive rows with at most ``BLOCK`` numbers among their edges, or one row; their edges and lengths."""
    most = max(1, BLOCK // max(1, q.shape[1] * q.shape[2]))
    ends, first = indptr.cpu(), 0
    while first < len(ends) - 1:
        last = max(first + 1, int(torch.searchsorted(ends, ends[first] + most, right=True)) - 1)
        yield slice(first, last), slice(int(ends[first]), int(ends[last])), indptr[first : last + 1].diff()
        first = last


def _over_rows(reduce: str, values: Tensor, lengths: Tensor) -> Tensor:
    """The sum or maximum over the edges of every row."""
    return torch.segment_reduce(values, reduce, lengths=lengths, axis=0, unsafe=True)
