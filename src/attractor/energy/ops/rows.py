"""Compressed rows: edge lists sorted into them, and rows turned into columns, in time linear in the edges."""

from __future__ import annotations

import torch
from torch import Tensor

from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.threads import over_rows


def compress(source: Tensor, target: Tensor, nodes: int, both: bool, loops: bool) -> tuple[Tensor, Tensor]:
    """``indptr`` int64 ``(N + 1,)`` and ``indices`` int32: of every target its sources, ascending, each once.

    ``both`` adds the reverse of every edge; ``loops`` says whether every node is its own source, or none.
    """
    filled = torch.zeros(nodes + 1, dtype=torch.int64)
    _count(source.numpy(), target.numpy(), both, loops, filled.numpy())
    indptr = filled.cumsum(0)
    indices = torch.empty(int(indptr[-1]), dtype=torch.int32)
    _place(source.numpy(), target.numpy(), both, loops, indptr[:-1].clone().numpy(), indices.numpy())
    flipped = _flipped(indptr, indices)
    del indices  # gigabytes, perhaps
    return _tight(*flipped)


def transpose(indptr: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """The columns of a square pattern as rows, ascending, each entry once."""
    return _tight(*_flipped(indptr, indices))


def pieces(indptr: Tensor, indices: Tensor, most: int) -> Tensor:
    """Where pieces of consecutive rows start and the last one ends, int64, without an entry from one to another.

    The smallest that there are, side by side up to ``most`` rows where they are fewer.
    """
    starts = torch.empty_like(indptr)
    return starts[: _cut(indptr.numpy(), indices.numpy(), most, starts.numpy()) + 1].clone()


def _flipped(indptr: Tensor, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The columns as rows, which are ascending because the rows are gone through in order: starts, sizes, entries."""
    nodes = len(indptr) - 1
    starts = torch.zeros(nodes + 1, dtype=torch.int64)
    starts[1:] = torch.bincount(indices, minlength=nodes)
    starts.cumsum_(0)
    columns, free = torch.empty_like(indices), starts[:-1].clone()
    _flip(indptr.numpy(), indices.numpy(), starts.numpy(), free.numpy(), columns.numpy())
    return starts, free - starts[:-1], columns


def _tight(starts: Tensor, sizes: Tensor, entries: Tensor) -> tuple[Tensor, Tensor]:
    """The rows without the gaps that repeated entries have left."""
    tight = torch.zeros_like(starts)
    torch.cumsum(sizes, 0, out=tight[1:])
    if int(tight[-1]) == len(entries):
        return starts, entries
    distinct = torch.empty(int(tight[-1]), dtype=torch.int32)
    over_rows(_pack, tight, starts, entries, distinct)
    return tight, distinct


@compiled
def _count(source, target, both, loops, counts):
    for e in range(len(source)):
        if source[e] != target[e]:
            counts[source[e] + 1] += 1
            if both:
                counts[target[e] + 1] += 1
    if loops:
        counts[1:] += 1


@compiled
def _place(source, target, both, loops, free, indices):
    for e in range(len(source)):
        u, v = source[e], target[e]
        if u != v:
            indices[free[u]] = v
            free[u] += 1
            if both:
                indices[free[v]] = u
                free[v] += 1
    if loops:
        for v in range(len(free)):
            indices[free[v]] = v


@compiled
def _flip(indptr, indices, starts, free, columns):
    for v in range(len(indptr) - 1):
        for e in range(indptr[v], indptr[v + 1]):
            u = indices[e]
            if free[u] == starts[u] or columns[free[u] - 1] != v:
                columns[free[u]] = v
                free[u] += 1


@compiled
def _pack(tight, starts, entries, distinct, first, last):
    for v in range(first, last):
        for i in range(tight[v + 1] - tight[v]):
            distinct[tight[v] + i] = entries[starts[v] + i]


@compiled
def _cut(indptr, indices, most, starts):
    nodes, count, reach = len(indptr) - 1, 0, -1
    for v in range(nodes):
        if v > reach:
            starts[count], count = v, count + 1
        for e in range(indptr[v], indptr[v + 1]):
            reach = max(reach, indices[e])
            while starts[count - 1] > indices[e]:  # those since then hang together
                count -= 1
        reach = max(reach, v)
    starts[count], kept = nodes, 0
    for i in range(1, count + 1):
        if i == count or starts[i + 1] - starts[kept] > most:
            kept += 1
            starts[kept] = starts[i]
    return kept
