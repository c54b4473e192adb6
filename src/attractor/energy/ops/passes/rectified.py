"""Hopfield memory with rectified overlaps: one compiled pass over the tokens, a few at a time, in float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.eager import is_float32
from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.passes.lanes import FAST, LANES, load, maximum, splat, store, where_positive
from attractor.energy.ops.passes.passed import Tensors
from attractor.energy.ops.passes.products import copy, even, odd_lines, panels, product, to_panels
from attractor.energy.ops.threads import over_parts, shares

BLOCK = 64  # tokens at once
CHUNK = 2**16  # numbers of memories at once, a quarter of a megabyte: what is added up for their gradient stays near
WIDEST = 256  # numbers of a token: of wider ones MKL's products are as fast, see benchmarks/LOG.md
SMALLEST = 2**26  # multiplications worth laying memories out anew for


@dataclass(frozen=True)
class ReluMemory:
    """``-dE/dg = relu(g xi^T) xi`` of :class:`attractor.energy.HopfieldMemory`, of ``g (N, D)`` and ``xi (M, D)``."""

    @staticmethod
    def takes(g: Tensor, xi: Tensor) -> bool:
        """Whether ``g`` and ``xi`` are for this pass."""
        return (
            FAST
            and is_float32(g, xi)
            and xi.shape[0] % LANES == xi.shape[1] % LANES == 0
            and xi.shape[1] <= WIDEST
            and g.shape[0] * xi.numel() >= SMALLEST
            and _chunk(xi) >= min(BLOCK, len(xi))
        )

    def plain(self, g: Tensor, xi: Tensor) -> Tensors:
        """By torch's own operations; holds the overlaps."""
        return (linear(linear(g, xi).relu(), xi.T),)

    def results(self, g: Tensor, xi: Tensor, keep: bool) -> tuple[Tensors, Tensors]:
        """One pass; nothing is kept."""
        force = _roomy(g)
        over_parts(_force, _blocks(g), g.contiguous(), *_laid_out(xi), force, cells=BLOCK * xi.numel())
        return (force[: len(g)],), ()

    def gradients(self, operands: Tensors, kept: Tensors, upstream: tuple[Tensor | None, ...]) -> Tensors:
        """Another pass, with the overlaps made anew, over as many groups of blocks as threads are kept busy with."""
        (g, xi), df = operands, upstream[0]
        assert df is not None  # of the only result that there is
        groups, laid_out = shares(_blocks(g)), _laid_out(xi)
        dg, dxi = _roomy(g), g.new_zeros(len(groups) - 1, len(laid_out[0]), _chunk(xi), xi.shape[1])
        given = g.contiguous(), df.contiguous(), *laid_out, groups
        over_parts(_gradient, len(groups) - 1, *given, dg, dxi, cells=BLOCK * xi.numel())
        return dg[: len(g)], dxi.sum(dim=0).view(xi.shape)


def _blocks(g: Tensor) -> int:
    return (len(g) + BLOCK - 1) // BLOCK


def _roomy(g: Tensor) -> Tensor:
    """Room for the like of ``g``, the last block of which has whole tiles."""
    return g.new_empty(_blocks(g) * BLOCK, g.shape[1])


def _chunk(xi: Tensor) -> int:
    """How many memories are looked at together: as many as ``CHUNK`` has room for, and a whole part of all."""
    vectors = len(xi) // LANES
    most = max(1, CHUNK // (LANES * xi.shape[1]))
    return LANES * max(d for d in range(1, min(vectors, most) + 1) if vectors % d == 0)


def _laid_out(xi: Tensor) -> Tensors:
    return panels(xi.unflatten(0, (-1, _chunk(xi))))


@compiled
def _force(g, xi_in, xi_out, force, first, last):
    dim, memories = g.shape[1], xi_out.shape[2]
    x, h = np.empty((BLOCK, dim), np.float32), np.empty((BLOCK, memories), np.float32)
    for start in range(first * BLOCK, min(last * BLOCK, len(g)), BLOCK):
        n = min(BLOCK, len(g) - start)
        rows = even(n)
        copy(g[start : start + n], x[:rows])
        for chunk in range(len(xi_in)):
            product(x, xi_in[chunk], h[:rows], dim, False)
            for i in range(n):
                for m in range(0, memories, LANES):
                    store(h, (i, m), maximum(load(h, (i, m)), splat(np.float32(0))))
            product(h, xi_out[chunk], force[start : start + rows], memories, chunk > 0)


@compiled
def _gradient(g, df, xi_in, xi_out, groups, dg, dxi, first, last):
    dim, memories = g.shape[1], xi_out.shape[2]
    x, upstream = np.empty((BLOCK, dim), np.float32), np.empty((BLOCK, dim), np.float32)
    pulls = np.empty((2 * BLOCK, odd_lines(memories)), np.float32)  # and how they change; read down its columns
    by_column = np.empty((dim // LANES, 2 * BLOCK, LANES), np.float32)
    for part in range(first * len(xi_in), last * len(xi_in)):
        group, chunk = part // len(xi_in), part % len(xi_in)
        for start in range(groups[group] * BLOCK, min(groups[group + 1] * BLOCK, len(g)), BLOCK):
            n = min(BLOCK, len(g) - start)
            rows = even(n)
            copy(g[start : start + n], x[:rows])
            copy(df[start : start + n], upstream[:rows])
            h, dh = pulls[:rows], pulls[rows : 2 * rows]
            product(x, xi_in[chunk], h, dim, False)
            product(upstream, xi_in[chunk], dh, dim, False)
            for i in range(n):
                for m in range(0, memories, LANES):
                    overlap = load(h, (i, m))
                    store(dh, (i, m), where_positive(overlap, load(dh, (i, m))))
                    store(h, (i, m), maximum(overlap, splat(np.float32(0))))
            product(dh, xi_out[chunk], dg[start : start + rows], memories, chunk > 0)
            to_panels(upstream[:rows], by_column, 0)
            to_panels(x[:rows], by_column, rows)
            product(pulls.T[:memories], by_column, dxi[group, chunk], 2 * rows, True)
