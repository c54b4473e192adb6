"""Alignment in linear memory: strips of query rows pass through the cache, and nothing N x N is ever whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NoReturn

import torch
from torch import Tensor

from attractor.energy.ops import triton_strips
from attractor.energy.ops.precision import at_least_float32, summed_in

CACHE = 2**18  # scores of one tile on a CPU: 1 MB of float32, what a core's L2 cache holds
LAUNCH = 2**24  # scores of one tile elsewhere: kernels are launched one by one and want to be large
# In narrower strips the products lose more time than the cache saves.
NARROWEST = {2: 64, 4: 16, 8: 16}  # rows of a strip, by bytes a number

Strip = tuple[slice, slice]
Parts = tuple[Tensor, Tensor, Tensor]

# Two operators of their own: to autograd, torch.compile and autocast each is one node, not a loop over strips.
OPERANDS = "Tensor q, Tensor k, Tensor v, Tensor? absent, bool include_self"
RESULTS = "(Tensor, Tensor, Tensor)"
torch.library.define("attractor::align", f"({OPERANDS}, bool energy=True) -> {RESULTS}")
torch.library.define(
    "attractor::align_gradient",
    f"({OPERANDS}, Tensor lse, Tensor mix, Tensor dlse, Tensor dmix, Tensor dpull) -> {RESULTS}",
)


def strips(q: Tensor, k: Tensor, tokens: Tensor | None = None, include_self: bool = True, energy: bool = True) -> Parts:
    """``lse``, ``P K`` and ``P^T Q`` in O(N) memory, forward and backward.

    The numbers are those of :func:`attractor.energy.ops.alignment.reference`.
    ``q, k (B, H, N, Y)``; ``tokens (B, N)`` as in :class:`Context`. Two derivatives of the energy, hence one of the
    force; a further one raises RuntimeError. Source: Rabe and Staats 2021 for the idea; the backward pass is our own.
    """
    batch, heads, n, _ = q.shape
    v, live, absent = q, None, None
    if tokens is None and n == 1:
        tokens = torch.ones(batch, 1, dtype=torch.bool, device=q.device)  # without itself it sees nobody
    if tokens is not None:
        tokens = tokens.expand(batch, n)
        others = tokens.sum(dim=-1, keepdim=True) > (0 if include_self else 1)
        live = (tokens & others).unsqueeze(1)  # (B, 1, N): rows that see somebody
        v, absent = q * live.unsqueeze(-1), (~tokens).repeat_interleave(heads, dim=0)
    flat = (t.flatten(0, 1).contiguous() for t in (q, k, v))
    found = torch.ops.attractor.align(*flat, absent, include_self, energy)
    lse, mix, pull = (t.unflatten(0, (-1, heads)) for t in found)
    return (lse, mix, pull) if live is None else (lse * live, mix * live.unsqueeze(-1), pull)


def _align(q: Tensor, k: Tensor, v: Tensor, absent: Tensor | None, include_self: bool, energy: bool = True) -> Parts:
    """Row log-sum-exps of ``S = q k^T``, ``P k`` and ``P^T v``; ``q, k, v (G, N, Y)``, ``absent (G, N)`` keys.

    Without ``energy`` the first means nothing: it takes two passes over the scores, and those in float32.
    """
    lse = q.new_empty(q.shape[:2], dtype=summed_in(q.dtype))
    mix, pull = torch.empty_like(q), _total(q)
    with torch.autocast(q.device.type, enabled=False):
        for at in _strips(q):
            scores = _scores(q, k, absent, include_self, at)
            if energy:
                scores = at_least_float32(scores)
                highest = scores.amax(dim=-1)
            p = torch.softmax(scores, dim=-1, out=scores)
            if energy:
                lse[at] = highest - p.amax(dim=-1).log()  # the highest score's own probability is exp(highest - lse)
            p = p.to(q.dtype)
            torch.bmm(p, k[at[0]], out=mix[at])
            _add_product(pull[at[0]], p, v[at])
    return lse, mix, pull.to(q.dtype)


def _gradient(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    absent: Tensor | None,
    include_self: bool,
    lse: Tensor,
    mix: Tensor,
    dlse: Tensor,
    dmix: Tensor,
    dpull: Tensor,
) -> Parts:
    r"""``dq``, ``dk`` and ``dv`` from what flows back into the three results of ``attractor::align``::

    dP = dmix k^T + v dpull^T               r_C = dmix_C . mix_C + v_C . (P dpull)_C
    dS = P * (dP - r + dlse)                dq = dS k,   dk = dS^T q + P^T dmix,   dv = P dpull

    ``lse`` and ``mix`` are for kernels that see a row in parts; here rows are whole, and P and r are made anew.
    """
    dq, dk, dv = torch.empty_like(q), _total(q), torch.empty_like(q)
    with torch.autocast(q.device.type, enabled=False):
        for at in _strips(q):
            scores = _scores(q, k, absent, include_self, at)
            p = torch.softmax(scores, dim=-1, out=scores)
            torch.bmm(p, dpull[at[0]], out=dv[at])
            _add_product(dk[at[0]], p, dmix[at])
            dp = torch.bmm(dmix[at], k[at[0]].mT).baddbmm_(v[at], dpull[at[0]].mT)
            ds = torch._softmax_backward_data(dp, p, -1, q.dtype).addcmul_(p, dlse[at].unsqueeze(-1).to(q.dtype))
            torch.bmm(ds, k[at[0]], out=dq[at])
            _add_product(dk[at[0]], ds, q[at], more=True)
    return dq, dk.to(q.dtype), dv


torch.library.impl("attractor::align", "CompositeExplicitAutograd")(_align)
torch.library.impl("attractor::align_gradient", "CompositeExplicitAutograd")(_gradient)
if triton_strips.installed():

    @torch.library.impl("attractor::align", "CUDA")
    def _(q: Tensor, *others: Any) -> Parts:
        return triton_strips.align(q, *others[:4]) if triton_strips.takes(q) else _align(q, *others)

    @torch.library.impl("attractor::align_gradient", "CUDA")
    def _(q: Tensor, *others: Any) -> Parts:
        return (triton_strips.gradient if triton_strips.takes(q) else _gradient)(q, *others)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Parts) -> None:
    q, k, v, absent, ctx.include_self, _ = inputs
    ctx.save_for_backward(q, k, v, absent, *output[:2])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, dlse: Tensor | None, dmix: Tensor | None, dpull: Tensor | None) -> tuple[Tensor | None, ...]:
    """The gradient of ``lse`` alone is an alignment again, hence differentiable; any other is so only once."""
    q, k, v, absent, lse, mix = ctx.saved_tensors
    if dmix is None and dpull is None and dlse is not None:
        row = dlse.unsqueeze(-1).to(q.dtype)
        pull = torch.ops.attractor.align(q, k, row * q, absent, ctx.include_self, False)[2]
        return row * mix, pull, None, None, None, None
    dlse = q.new_zeros(q.shape[:2], dtype=summed_in(q.dtype)) if dlse is None else dlse.contiguous()
    dmix, dpull = (torch.zeros_like(q) if d is None else d.contiguous() for d in (dmix, dpull))
    upstream = dlse, dmix, dpull
    return *torch.ops.attractor.align_gradient(q, k, v, absent, ctx.include_self, lse, mix, *upstream), None, None, None


def no_further(ctx: Any, *_: Tensor | None) -> NoReturn:
    """In the place of the derivative of a gradient, here and along edges."""
    what = "attention along edges, or of more scores than attractor.energy.ops.alignment.SMALL,"
    raise RuntimeError(f"{what} has two derivatives of its energy")


@torch.library.register_fake("attractor::align")
def _(q: Tensor, *others: Any) -> Parts:
    return q.new_empty(q.shape[:2], dtype=summed_in(q.dtype)), torch.empty_like(q), torch.empty_like(q)


@torch.library.register_fake("attractor::align_gradient")
def _(q: Tensor, *others: Any) -> Parts:
    return torch.empty_like(q), torch.empty_like(q), torch.empty_like(q)


torch.library.register_autograd("attractor::align", _backward, setup_context=_remember)
torch.library.register_autograd("attractor::align_gradient", no_further)


def _strips(q: Tensor) -> Iterator[Strip]:
    """Tiles as (matrices, rows): several whole score matrices when they are small, else equal strips of one."""
    groups, n, _ = q.shape
    together, rows = max(1, _tile(q) // (n * n)), _rows(q)
    for group in range(0, groups, together):
        for row in range(0, n, rows):
            yield slice(group, group + together), slice(row, min(row + rows, n))


def _tile(q: Tensor) -> int:
    return CACHE if q.device.type == "cpu" else LAUNCH


def _rows(q: Tensor) -> int:
    """Of a strip."""
    n = q.shape[1]
    return max(min(n, NARROWEST[q.element_size()]), math.ceil(n / math.ceil(n * n / _tile(q)))) if n else 1


def _scores(q: Tensor, k: Tensor, absent: Tensor | None, include_self: bool, at: Strip) -> Tensor:
    """The scores of one strip, excluded pairs far below any other."""
    scores = torch.bmm(q[at], k[at[0]].mT)
    never = torch.finfo(scores.dtype).min / 2  # and not -inf: a row without a single key stays finite
    if absent is not None:
        scores.masked_fill_(absent[at[0]].unsqueeze(1), never)
    if not include_self:
        scores.diagonal(at[1].start, dim1=1, dim2=2).fill_(never)
    return scores


def _is_whole(q: Tensor) -> bool:
    """Whether every strip has all rows of its matrices."""
    return _rows(q) >= q.shape[1]


def _total(q: Tensor) -> Tensor:
    """Room for sums over strips: of several in float32 or better, and one writes its own."""
    return torch.empty_like(q) if _is_whole(q) else torch.zeros_like(q, dtype=summed_in(q.dtype))


def _add_product(total: Tensor, p: Tensor, x: Tensor, more: bool = False) -> None:
    """``total += p^T x``; of whole matrices the first product is the total, unless there is ``more`` in it."""
    if p.shape[1] == p.shape[2] and not more and total.dtype == x.dtype:
        torch.bmm(p.mT, x, out=total)
    elif total.dtype == x.dtype:
        total.baddbmm_(p.mT, x)
    else:
        total += torch.bmm(p.mT, x)
