"""Matrix products inside compiled loops: tiles of six rows and sixteen columns, all of whose sums stay in registers."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from attractor.energy.ops.compiling import compiled
from attractor.energy.ops.passes.lanes import LANES, fma, load, splat, store
from attractor.energy.ops.threads import over_parts

DEEP = 256  # of the inner axis at once: so much of a panel stays in the first cache


def panels(w: Tensor) -> tuple[Tensor, Tensor]:
    """``w^T`` and ``w (..., M, K)`` as :func:`product` reads them, M and K whole numbers of vectors.

    In panels of sixteen columns, each of which lies in one piece: ``(..., M / 16, K, 16)``, ``(..., K / 16, M, 16)``.
    """
    *more, m, k = w.shape
    across, along = w.new_empty(*more, m // LANES, k, LANES), w.new_empty(*more, k // LANES, m, LANES)
    flat = w.contiguous().view(-1, m, k), across.view(-1, *across.shape[-3:]), along.view(-1, *along.shape[-3:])
    over_parts(_lay_out, w.numel() // (LANES * k), *flat, cells=LANES * k)
    return across, along


@compiled
def _lay_out(w, across, along, first, last):
    for part in range(first, last):
        matrix, panel = part // across.shape[1], part % across.shape[1]
        for i in range(LANES):
            for j in range(w.shape[2]):
                across[matrix, panel, j, i] = w[matrix, panel * LANES + i, j]
            for j in range(along.shape[1]):
                store(along, (matrix, j, panel * LANES + i, 0), load(w, (matrix, panel * LANES + i, j * LANES)))


@compiled
def even(n):
    """As many rows as :func:`product` takes for ``n``: an even number, 4 at least."""
    return max(n + n % 2, 4)


@compiled
def product(a, b, out, inner, more):
    """``out = a b``, or ``out += a b``, ``a (R, K)``, ``out (R, M)``, ``b`` in panels; over the first ``inner`` of K.

    R must be of :func:`even`. It is cut into tiles of six rows and, where it is no multiple of that, one or two of
    four, which take no longer a row.
    """
    rest = out.shape[0] - -(out.shape[0] // 2) % 3 * 4
    for start in range(0, inner, DEEP):  # outermost, as of ``a`` the cache holds no more than that either
        end, adds = min(start + DEEP, inner), more or start > 0
        for panel in range(b.shape[0]):
            for i in range(0, rest, 6):
                _six(a, b[panel], out, i, panel * LANES, start, end, adds)
            for i in range(rest, out.shape[0], 4):
                _four(a, b[panel], out, i, panel * LANES, start, end, adds)


@compiled
def _six(a, columns, out, i, y, start, end, adds):
    t0 = t1 = t2 = t3 = t4 = t5 = splat(np.float32(0))
    if adds:
        t0, t1, t2 = load(out, (i, y)), load(out, (i + 1, y)), load(out, (i + 2, y))
        t3, t4, t5 = load(out, (i + 3, y)), load(out, (i + 4, y)), load(out, (i + 5, y))
    for j in range(start, end):
        row = load(columns, (j, 0))
        t0 = fma(splat(a[i, j]), row, t0)
        t1 = fma(splat(a[i + 1, j]), row, t1)
        t2 = fma(splat(a[i + 2, j]), row, t2)
        t3 = fma(splat(a[i + 3, j]), row, t3)
        t4 = fma(splat(a[i + 4, j]), row, t4)
        t5 = fma(splat(a[i + 5, j]), row, t5)
    store(out, (i, y), t0)
    store(out, (i + 1, y), t1)
    store(out, (i + 2, y), t2)
    store(out, (i + 3, y), t3)
    store(out, (i + 4, y), t4)
    store(out, (i + 5, y), t5)


@compiled
def _four(a, columns, out, i, y, start, end, adds):
    t0 = t1 = t2 = t3 = splat(np.float32(0))
    if adds:
        t0, t1, t2, t3 = load(out, (i, y)), load(out, (i + 1, y)), load(out, (i + 2, y)), load(out, (i + 3, y))
    for j in range(start, end):
        row = load(columns, (j, 0))
        t0 = fma(splat(a[i, j]), row, t0)
        t1 = fma(splat(a[i + 1, j]), row, t1)
        t2 = fma(splat(a[i + 2, j]), row, t2)
        t3 = fma(splat(a[i + 3, j]), row, t3)
    store(out, (i, y), t0)
    store(out, (i + 1, y), t1)
    store(out, (i + 2, y), t2)
    store(out, (i + 3, y), t3)


@compiled
def copy(source, target):
    """The rows of ``source`` as the first ones of ``target``, zeros below them."""
    for i in range(target.shape[0]):
        for y in range(0, source.shape[1], LANES):
            store(target, (i, y), load(source, (i, y)) if i < len(source) else splat(np.float32(0)))


@compiled
def to_panels(source, target, at):
    """The columns of ``source`` side by side as panels, whose rows begin at ``at``."""
    for panel in range(target.shape[0]):
        for i in range(source.shape[0]):
            store(target, (panel, at + i, 0), load(source, (i, panel * LANES)))


@compiled
def empty(rows, columns):
    return np.empty((rows, columns), np.float32)


@compiled
def blank(rows, columns):
    """Panels of zeros for so many columns, in whole vectors."""
    return np.zeros((whole_vectors(columns) // LANES, rows, LANES), np.float32)


@compiled
def whole_vectors(n):
    """At least so many columns, in whole vectors."""
    return (n + LANES - 1) // LANES * LANES


@compiled
def odd_lines(width):
    """At least so many columns, in an odd number of cache lines, which spreads what lies below each other."""
    lines = whole_vectors(width) // LANES
    return LANES * (lines + 1 - lines % 2)
