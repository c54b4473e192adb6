"""Hopfield memory with rectified overlaps: one compiled pass over the tokens, a few at a time, in float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attractor.energy.ops.eager import is_float32
from attractor.energy.ops.lanes import FAST, LANES, load, maximum, splat, store, where_positive
from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.passes import Tensors
from attractor.energy.ops.products import copy, even, odd_lines, panels, product, to_panels
from attractor.energy.ops.threads import compiled, over_parts, shares

BLOCK = 64  # tokens at once
LARGEST = 2**16  # numbers of all memories, a quarter of a megabyte, which lie near a core twice
SMALLEST = 2**26  # multiplications worth laying them out anew for


def takes(g: Tensor, xi: Tensor) -> bool:
    """Whether tokens ``g (N, D)`` and memories ``xi (M, D)`` are for this file."""
    return (
        FAST
        and is_float32(g, xi)
        and xi.shape[0] % LANES == xi.shape[1] % LANES == 0
        and xi.numel() <= LARGEST
        and g.shape[0] * xi.numel() >= SMALLEST
    )


@dataclass(frozen=True)
class ReluMemory:
    """``-dE/dg = relu(g xi^T) xi`` of :class:`attractor.energy.HopfieldMemory`, of ``g (N, D)`` and ``xi (M, D)``."""

    def plain(self, g: Tensor, xi: Tensor) -> Tensors:
        """By torch's own operations; holds the overlaps."""
        return (linear(linear(g, xi).relu(), xi.T),)

    def results(self, g: Tensor, xi: Tensor, keep: bool) -> tuple[Tensors, Tensors]:
        """One pass; nothing is kept."""
        force = torch.empty_like(g)
        over_parts(_force, _blocks(g), g.contiguous(), *panels(xi), force, cells=BLOCK * xi.numel())
        return (force,), ()

    def gradients(self, operands: Tensors, kept: Tensors, upstream: tuple[Tensor | None, ...]) -> Tensors:
        """Another pass, with the overlaps made anew, over as many groups of blocks as threads are kept busy with."""
        (g, xi), df = operands, upstream[0]
        assert df is not None  # of the only result that there is
        groups = shares(_blocks(g))
        dg, dxi = torch.empty_like(g), g.new_zeros(len(groups) - 1, *xi.shape)
        given = g.contiguous(), df.contiguous(), *panels(xi), groups
        over_parts(_gradient, len(groups) - 1, *given, dg, dxi, cells=BLOCK * xi.numel())
        return dg, dxi.sum(dim=0)


def _blocks(g: Tensor) -> int:
    return (len(g) + BLOCK - 1) // BLOCK


@compiled
def _force(g, xi_in, xi_out, force, first, last):
    x, h, out = _rows(g.shape[1]), _rows(xi_out.shape[1]), _rows(g.shape[1])
    for start in range(first * BLOCK, min(last * BLOCK, len(g)), BLOCK):
        n = min(BLOCK, len(g) - start)
        rows = even(n)
        copy(g[start : start + n], x[:rows])
        product(x, xi_in, h[:rows], x.shape[1], False)
        for i in range(n):
            for m in range(0, h.shape[1], LANES):
                store(h, (i, m), maximum(load(h, (i, m)), splat(np.float32(0))))
        product(h, xi_out, out[:rows], h.shape[1], False)
        copy(out[:n], force[start : start + n])


@compiled
def _gradient(g, df, xi_in, xi_out, groups, dg, dxi, first, last):
    dim, memories = g.shape[1], xi_out.shape[1]
    x, upstream, out = _rows(dim), _rows(dim), _rows(dim)
    pulls = np.empty((2 * BLOCK, odd_lines(memories)), np.float32)  # and how they change; read down its columns
    by_column = np.empty((dim // LANES, 2 * BLOCK, LANES), np.float32)
    for group in range(first, last):
        for start in range(groups[group] * BLOCK, min(groups[group + 1] * BLOCK, len(g)), BLOCK):
            n = min(BLOCK, len(g) - start)
            rows = even(n)
            copy(g[start : start + n], x[:rows])
            copy(df[start : start + n], upstream[:rows])
            h, dh = pulls[:rows], pulls[rows : 2 * rows]
            product(x, xi_in, h, dim, False)
            product(upstream, xi_in, dh, dim, False)
            for i in range(n):
                for m in range(0, memories, LANES):
                    overlap = load(h, (i, m))
                    store(dh, (i, m), where_positive(overlap, load(dh, (i, m))))
                    store(h, (i, m), maximum(overlap, splat(np.float32(0))))
            product(dh, xi_out, out[:rows], memories, False)
            copy(out[:n], dg[start : start + n])
            to_panels(upstream[:rows], by_column, 0)
            to_panels(x[:rows], by_column, rows)
            product(pulls.T[:memories], by_column, dxi[group], 2 * rows, True)


@compiled
def _rows(width):
    return np.empty((BLOCK, width), np.float32)
