"""Alignment in linear memory: strips of query rows pass through the cache, and nothing N x N is ever whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from attractor.energy.ops.precision import at_least_float32, summed_in

CACHE = 2**18  # scores of one tile on a CPU: 1 MB of float32, what a core's L2 cache holds
LAUNCH = 2**24  # scores of one tile elsewhere: kernels are launched one by one and want to be large
NARROWEST = 16  # rows of a strip below which matrix products slow down more than the cache gives

Strip = tuple[slice, slice]
Parts = tuple[Tensor, Tensor, Tensor]

# Two operators of their own: to autograd, torch.compile and autocast each is one node, not a loop over strips.
KERNEL = "CompositeExplicitAutograd"
OPERANDS = "Tensor q, Tensor k, Tensor v, Tensor? absent, bool include_self"
RESULTS = "(Tensor, Tensor, Tensor)"
torch.library.define("attractor::align", f"({OPERANDS}) -> {RESULTS}")
torch.library.define(
    "attractor::align_gradient", f"({OPERANDS}, Tensor mix, Tensor dlse, Tensor dmix, Tensor dpull) -> {RESULTS}"
)


def strips(q: Tensor, k: Tensor, tokens: Tensor | None = None, include_self: bool = True) -> Parts:
    """``lse``, ``P K`` and ``P^T Q`` of :func:`reference` in O(N) memory, forward and backward.

    ``q, k (B, H, N, Y)``; ``tokens (B, N)`` as in :class:`Context`. Two derivatives of the energy, hence one of the
    force; a further one raises RuntimeError. Source: Rabe and Staats 2021 for the idea; the backward pass is our own.
    """
    batch, heads, n, _ = q.shape
    if tokens is None and n == 1:
        tokens = torch.ones(batch, 1, dtype=torch.bool, device=q.device)  # without itself it sees nobody
    flat_q, flat_k = q.flatten(0, 1).contiguous(), k.flatten(0, 1).contiguous()
    if tokens is None:
        lse, mix, pull = torch.ops.attractor.align(flat_q, flat_k, flat_q, None, include_self)
    else:
        tokens = tokens.expand(batch, n)
        others = tokens.sum(dim=-1, keepdim=True) > (0 if include_self else 1)
        live = (tokens & others).repeat_interleave(heads, dim=0)  # (B H, N): rows that see somebody
        absent = ~tokens.repeat_interleave(heads, dim=0)
        lse, mix, pull = torch.ops.attractor.align(flat_q, flat_k, flat_q * live.unsqueeze(-1), absent, include_self)
        lse, mix = lse * live, mix * live.unsqueeze(-1)
    return lse.unflatten(0, (batch, heads)), mix.unflatten(0, (batch, heads)), pull.unflatten(0, (batch, heads))


@torch.library.impl("attractor::align", KERNEL)
def _(q: Tensor, k: Tensor, v: Tensor, absent: Tensor | None, include_self: bool) -> Parts:
    """Row log-sum-exps of ``S = q k^T``, ``P k`` and ``P^T v``; ``q, k, v (G, N, Y)``, ``absent (G, N)`` keys."""
    lse = q.new_empty(q.shape[:2], dtype=summed_in(q.dtype))
    mix, pull = torch.empty_like(q), torch.zeros_like(q, dtype=lse.dtype)
    with torch.autocast(q.device.type, enabled=False):
        for at in _strips(q):
            scores = _scores(q, k, absent, include_self, at)
            highest = scores.amax(dim=-1)
            p = torch.softmax(scores, dim=-1, out=scores)
            lse[at] = highest - p.amax(dim=-1).log()  # the highest score's own probability is exp(highest - lse)
            p = p.to(q.dtype)
            torch.bmm(p, k[at[0]], out=mix[at])
            _add_product(pull[at[0]], p, v[at])
    return lse, mix, pull.to(q.dtype)


@torch.library.impl("attractor::align_gradient", KERNEL)
def _(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    absent: Tensor | None,
    include_self: bool,
    mix: Tensor,
    dlse: Tensor,
    dmix: Tensor,
    dpull: Tensor,
) -> Parts:
    r"""``dq``, ``dk`` and ``dv`` from what flows back into the three results of :func:`align`::

    dP = dmix k^T + v dpull^T               r_C = dmix_C . mix_C + v_C . (P dpull)_C
    dS = P * (dP - r + dlse)                dq = dS k,   dk = dS^T q + P^T dmix,   dv = P dpull
    """
    dq, dk, dv = torch.empty_like(q), torch.zeros_like(q, dtype=summed_in(q.dtype)), torch.empty_like(q)
    with torch.autocast(q.device.type, enabled=False):
        rest = dlse - (dmix * mix).sum(dim=-1, dtype=dlse.dtype)
        for at in _strips(q):
            p32 = _scores(q, k, absent, include_self, at)
            p = torch.softmax(p32, dim=-1, out=p32).to(q.dtype)
            torch.bmm(p, dpull[at[0]], out=dv[at])
            _add_product(dk[at[0]], p, dmix[at])
            ds = torch.bmm(dmix[at], k[at[0]].mT).baddbmm_(v[at], dpull[at[0]].mT).to(dk.dtype)
            ds += (rest[at] - (v[at] * dv[at]).sum(dim=-1, dtype=dk.dtype)).unsqueeze(-1)
            ds = ds.mul_(p32).to(q.dtype)
            torch.bmm(ds, k[at[0]], out=dq[at])
            _add_product(dk[at[0]], ds, q[at])
    return dq, dk.to(q.dtype), dv


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Parts) -> None:
    q, k, v, absent, ctx.include_self = inputs
    ctx.save_for_backward(q, k, v, absent, output[1])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, dlse: Tensor | None, dmix: Tensor | None, dpull: Tensor | None) -> tuple[Tensor | None, ...]:
    """The gradient of ``lse`` alone is an alignment again, hence differentiable; any other is so only once."""
    q, k, v, absent, mix = ctx.saved_tensors
    if dmix is None and dpull is None and dlse is not None:
        row = dlse.unsqueeze(-1).to(q.dtype)
        return row * mix, torch.ops.attractor.align(q, k, row * q, absent, ctx.include_self)[2], None, None, None
    dlse = q.new_zeros(q.shape[:2], dtype=summed_in(q.dtype)) if dlse is None else dlse.contiguous()
    dmix, dpull = (torch.zeros_like(q) if d is None else d.contiguous() for d in (dmix, dpull))
    return *torch.ops.attractor.align_gradient(q, k, v, absent, ctx.include_self, mix, dlse, dmix, dpull), None, None


def _no_further(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    raise RuntimeError("attention beyond attractor.energy.ops.alignment.SMALL scores has two derivatives of its energy")


@torch.library.register_fake("attractor::align")
def _(q: Tensor, k: Tensor, v: Tensor, absent: Tensor | None, include_self: bool) -> Parts:
    return q.new_empty(q.shape[:2], dtype=summed_in(q.dtype)), torch.empty_like(q), torch.empty_like(q)


@torch.library.register_fake("attractor::align_gradient")
def _(q: Tensor, *others: Any) -> Parts:
    return torch.empty_like(q), torch.empty_like(q), torch.empty_like(q)


torch.library.register_autograd("attractor::align", _backward, setup_context=_remember)
torch.library.register_autograd("attractor::align_gradient", _no_further)


def _strips(q: Tensor) -> Iterator[Strip]:
    """Tiles as (matrices, rows): several whole score matrices when they are small, else equal strips of one."""
    groups, n, _ = q.shape
    tile = CACHE if q.device.type == "cpu" else LAUNCH
    together = max(1, tile // (n * n))
    rows = max(min(n, NARROWEST), math.ceil(n / math.ceil(n * n / tile)))
    for group in range(0, groups, together):
        for row in range(0, n, rows):
            yield slice(group, group + together), slice(row, min(row + rows, n))


def _scores(q: Tensor, k: Tensor, absent: Tensor | None, include_self: bool, at: Strip) -> Tensor:
    """The scores of one strip in float32 or better, excluded pairs far below any other."""
    scores = at_least_float32(torch.bmm(q[at], k[at[0]].mT))
    never = torch.finfo(scores.dtype).min / 2  # and not -inf: a row without a single key stays finite
    if absent is not None:
        scores += (absent[at[0]].to(scores.dtype) * never).unsqueeze(1)
    if not include_self:
        scores.diagonal(at[1].start, dim1=1, dim2=2).fill_(never)
    return scores


def _add_product(total: Tensor, p: Tensor, x: Tensor) -> None:
    """``total += p^T x``, the sum kept in the precision of ``total``."""
    if total.dtype == x.dtype:
        total.baddbmm_(p.mT, x)
    else:
        total += torch.bmm(p.mT, x)
