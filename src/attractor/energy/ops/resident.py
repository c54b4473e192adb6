"""Alignment of so few tokens that all of one head stays in the cache of a core: one compiled pass a head, in float32.

Queries and keys are read where the linear maps left them, and results are written where the next ones want them. The
matrix products are those of six rows and sixteen columns at a time, all of whose sums stay in registers: see
benchmarks/LOG.md.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from attractor.energy.ops.eager import is_eager
from attractor.energy.ops.lanes import FAST, LANES, exp, fma, highest, load, maximum, minimum, splat, store, total
from attractor.energy.ops.padding import Parts, around_padding
from attractor.energy.ops.strips import no_further
from attractor.energy.ops.threads import compiled, over_parts

ROWS = 6  # of a product at once: with two registers each, as many as AVX2 has room for
SCORES, WIDEST = 2**18, 128  # of one head, 1 MB, and its width: what a core's cache holds
NEVER = np.float32(torch.finfo(torch.float32).min / 2)  # of an excluded pair; finite, as rows without a key must stay
# Of lanes.py: numba knows what it has compiled by the file that a function stands in, and by nothing that this imports.
LANES_DIGEST = "32c4aabe104b9748"


def takes(q: Tensor, k: Tensor) -> bool:
    """Whether ``q, k (B, H, N, Y)`` are for this file."""
    plain = all(type(t) in (Tensor, nn.Parameter) and is_eager(t) for t in (q, k))
    return (
        FAST
        and plain
        and q.shape == k.shape
        and q.device.type == k.device.type == "cpu"
        and q.dtype == k.dtype == torch.float32
        and q.shape[-1] % LANES == 0
        and q.shape[-1] <= WIDEST
        and 0 < q.shape[-2] ** 2 <= SCORES
        and q.shape[0] * q.shape[1] >= torch.get_num_threads()
    )


def resident(q: Tensor, k: Tensor, tokens: Tensor | None = None, include_self: bool = True) -> Parts:
    """``lse``, ``P K`` and ``P^T Q`` as of :func:`attractor.energy.ops.strips.strips`, by as many derivatives."""
    return around_padding(lambda v, absent: _Align.apply(q, k, v, absent, include_self), q, tokens, include_self)


class _Align(torch.autograd.Function):
    """``lse (B, H, N)``, ``P k`` and ``P^T v``; ``q, k, v (B, H, N, Y)``, ``absent (B, N)`` keys."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, absent: Tensor | None, include_self: bool) -> Parts:
        operands = [_by_tokens(t) for t in (q, k, v)]
        lse, mix, pull = q.new_empty(q.shape[:3]), torch.empty_like(operands[0]), torch.empty_like(operands[0])
        _over_heads(_align, _most(q, absent), *operands, lse, mix, pull, include_self)
        mix, pull = mix.transpose(1, 2), pull.transpose(1, 2)
        ctx.save_for_backward(q, k, v, absent, mix)
        ctx.include_self = include_self
        ctx.set_materialize_grads(False)
        return lse, mix, pull

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradient of ``lse`` alone is an alignment again, hence differentiable; any other is so only once."""
        (q, k, v, absent, mix), (dlse, dmix, dpull) = ctx.saved_tensors, grads
        if dmix is None and dpull is None and dlse is not None:
            row = dlse.unsqueeze(-1)
            return row * mix, _Align.apply(q, k, row * q, absent, ctx.include_self)[2], None, None, None
        dlse = q.new_zeros(q.shape[:3]) if dlse is None else dlse
        dmix, dpull = (torch.zeros_like(q) if d is None else d for d in (dmix, dpull))
        return *_Gradient.apply(q, k, v, absent, ctx.include_self, dlse, dmix, dpull), None, None


class _Gradient(torch.autograd.Function):
    """``dq``, ``dk`` and ``dv``, by the equations of :func:`attractor.energy.ops.strips._gradient`."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, absent: Tensor | None, include_self: bool, *upstream: Tensor
    ) -> tuple[Tensor, ...]:
        dlse, dmix, dpull = upstream
        operands = [_by_tokens(t) for t in (q, k, v, dmix, dpull)]
        gradients = [torch.empty_like(operands[0]) for _ in range(3)]
        _over_heads(_gradient, _most(q, absent), *operands, dlse.contiguous(), *gradients, include_self)
        return tuple(t.transpose(1, 2) for t in gradients)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> NoReturn:
        """There is none."""
        no_further(ctx)


def _over_heads(kernel: Any, most: Tensor, q: Tensor, *others: Any) -> None:
    """Call a kernel with these for ranges of the heads of all samples."""
    batch, n, heads, width = q.shape
    over_parts(kernel, batch * heads, most, q, *others, cells=n * n * width // 4)


def _by_tokens(t: Tensor) -> Tensor:
    """``(B, H, N, Y) -> (B, N, H, Y)``, one layout for all kernels: of what a linear map left no copy."""
    return t.transpose(1, 2).contiguous()


def _most(q: Tensor, absent: Tensor | None) -> Tensor:
    """What the scores of every key are at the most, ``(B, N)``."""
    most = q.new_full((q.shape[0], q.shape[2]), math.inf)
    return most if absent is None else most.masked_fill_(absent, float(NEVER))


@compiled
def _align(most, q, k, v, lse, mix, pull, include_self, first, last):
    n, heads, width = q.shape[1:]
    rows, columns = _room(n)
    queries, keys, values, out = _tokens(rows, width), _tokens(rows, width), _tokens(rows, width), _tokens(rows, width)
    across, p, limits = np.zeros((width, columns), np.float32), np.zeros((rows, columns), np.float32), _limits(columns)
    for head in range(first, last):
        b, h = head // heads, head % heads
        _copy(q[b, :, h], queries)
        _copy(k[b, :, h], keys)
        _copy(v[b, :, h], values)
        _transpose(keys, across, n)
        _product(queries, across, p, width, False)
        limits[:n] = most[b]
        _softmax(limits, p, lse[b, h], include_self)
        _product(p, keys, out, n, False)
        _copy(out, mix[b, :, h])
        _product(p.T, values, out, n, False)
        _copy(out, pull[b, :, h])


@compiled
def _gradient(most, q, k, v, dmix, dpull, dlse, dq, dk, dv, include_self, first, last):
    n, heads, width = q.shape[1:]
    rows, columns = _room(n)
    queries, keys, values, out = _tokens(rows, width), _tokens(rows, width), _tokens(rows, width), _tokens(rows, width)
    mixed, pulled, lse = _tokens(rows, width), _tokens(rows, width), np.empty(n, np.float32)
    across, p, limits = np.zeros((width, columns), np.float32), np.zeros((rows, columns), np.float32), _limits(columns)
    dp = np.zeros((rows, columns), np.float32)
    for head in range(first, last):
        b, h = head // heads, head % heads
        _copy(q[b, :, h], queries)
        _copy(k[b, :, h], keys)
        _copy(v[b, :, h], values)
        _copy(dmix[b, :, h], mixed)
        _copy(dpull[b, :, h], pulled)
        _transpose(keys, across, n)
        _product(queries, across, p, width, False)
        limits[:n] = most[b]
        _softmax(limits, p, lse, include_self)
        _product(p, pulled, out, n, False)
        _copy(out, dv[b, :, h])
        _product(mixed, across, dp, width, False)
        _transpose(pulled, across, n)
        _product(values, across, dp, width, True)
        _through_softmax(p, dp, dlse[b, h])
        _product(dp, keys, out, n, False)
        _copy(out, dq[b, :, h])
        _product(p.T, mixed, out, n, False)
        _product(dp.T, queries, out, n, True)
        _copy(out, dk[b, :, h])


@compiled
def _room(n):
    """Rows and columns of arrays for n tokens: as many as products take at once, of rows and of their transpose."""
    rows = (n + ROWS - 1) // ROWS * ROWS
    return rows, (rows + LANES - 1) // LANES * LANES


@compiled
def _tokens(rows, width):
    return np.zeros((rows, width), np.float32)


@compiled
def _limits(columns):
    return np.full(columns, NEVER, np.float32)


@compiled
def _copy(source, target):
    for i in range(min(source.shape[0], target.shape[0])):
        for y in range(0, source.shape[1], LANES):
            store(target, (i, y), load(source, (i, y)))


@compiled
def _transpose(source, target, n):
    for y in range(source.shape[1]):
        for i in range(n):
            target[y, i] = source[i, y]


@compiled
def _product(a, b, out, inner, more):
    """``out = a b``, or ``out += a b``, over the first ``inner`` columns of ``a``; all of ``out``."""
    nothing = splat(np.float32(0))
    for i in range(0, out.shape[0], ROWS):
        for y in range(0, out.shape[1], LANES):
            t0, t1, t2, t3, t4, t5 = nothing, nothing, nothing, nothing, nothing, nothing
            if more:
                t0, t1, t2 = load(out, (i, y)), load(out, (i + 1, y)), load(out, (i + 2, y))
                t3, t4, t5 = load(out, (i + 3, y)), load(out, (i + 4, y)), load(out, (i + 5, y))
            for j in range(inner):
                row = load(b, (j, y))
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
def _softmax(limits, p, lse, include_self):
    """Scores to probabilities, a row for every number of ``lse``; columns whose limit is ``NEVER`` become 0."""
    for i in range(len(lse)):
        if not include_self:
            p[i, i] = NEVER
        top, terms = splat(NEVER), splat(np.float32(0))
        for j in range(0, p.shape[1], LANES):
            score = minimum(load(p, (i, j)), load(limits, (j,)))
            top = maximum(top, score)
            store(p, (i, j), score)
        peak = highest(top)
        for j in range(0, p.shape[1], LANES):
            term = exp(load(p, (i, j)) - splat(peak))
            terms = terms + term
            store(p, (i, j), term)
        whole = total(terms)
        for j in range(0, p.shape[1], LANES):
            store(p, (i, j), load(p, (i, j)) * splat(np.float32(1) / whole))
        lse[i] = peak + np.float32(math.log(whole))


@compiled
def _through_softmax(p, dp, dlse):
    """``dS = P * (dP - r + dlse)`` in the place of dP, ``r_C = sum_B P_CB dP_CB``."""
    for i in range(len(dlse)):
        r = splat(np.float32(0))
        for j in range(0, p.shape[1], LANES):
            r = fma(load(p, (i, j)), load(dp, (i, j)), r)
        rest = splat(dlse[i] - total(r))
        for j in range(0, p.shape[1], LANES):
            store(dp, (i, j), load(p, (i, j)) * (load(dp, (i, j)) + rest))
