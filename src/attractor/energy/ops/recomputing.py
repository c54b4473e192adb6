"""Forces a few rows at a time: what tokens make on the way stays in the cache, and is made anew for gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from attractor.energy.ops.eager import is_eager, is_transformed
from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.plain_gradients import plain_gradients
from attractor.energy.ops.precision import summed_in

TOKENS = 2**11  # at once: their queries and keys fill a good part of a CPU's cache
SMALL = 2**8  # tokens that are not worth the trouble
TOKENS_ELSEWHERE = 2**16  # kernels are launched one by one and want to be large

# Maps rows of g and the parameters to the parts; the force is linear in these.
Inner = Callable[..., tuple[Tensor, ...]]


def recomputed(inner: Inner, g: Tensor, out: Sequence[Tensor], parameters: Sequence[Tensor]) -> Tensor:
    r"""``sum_i part_i out_i`` with ``parts = inner(at, g[at], *parameters)`` for slices ``at`` of the rows, like ``g``.

    ``g (B, ..., D)``, ``part_i (b, ..., M_i)``, ``out_i (M_i, D)``. Rows must not feel each other. Between the passes
    nothing is held but ``g``. Products are taken in the type that autocast asks for, sums over slices in float32 or
    better. Source: Chen et al. 2016, training with sublinear memory, for the idea.
    """
    if not is_eager(g, *out, *parameters) or g.numel() <= SMALL * g.shape[-1]:
        return plainly(inner, g, out, parameters)
    kind = g.device.type
    working = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else g.dtype
    return _Recomputed.apply(inner, working, len(out), g, *out, *parameters)


def plainly(inner: Inner, g: Tensor, out: Sequence[Tensor], parameters: Sequence[Tensor]) -> Tensor:
    """The same at once, by any derivative; holds all the parts."""
    first, *rest = (
        linear(part, o.T.to(part.dtype)) for part, o in zip(inner(slice(None), g, *parameters), out, strict=True)
    )
    return sum((t.to(g.dtype) for t in rest), start=first.to(g.dtype))


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inner: Inner, working: torch.dtype, outs: int, g: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(g, *weights)
        ctx.inner, ctx.working, ctx.outs = inner, working, outs
        out, parameters = _split([t.to(working) for t in weights], outs)
        force = torch.empty_like(g)
        with torch.autocast(g.device.type, enabled=False):
            for at in _slices(g):
                first, *rest = map(linear, inner(at, g[at].to(working), *parameters), (o.T for o in out))
                force[at] = first
                for product in rest:
                    force[at] += product
        return force

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g, *weights), (df,) = ctx.saved_tensors, grads
        if torch.is_grad_enabled() or is_transformed(df):  # who wants a further derivative holds all the parts

            def plain(g: Tensor, *weights: Tensor) -> tuple[Tensor]:
                return (plainly(ctx.inner, g, *_split(weights, ctx.outs)),)

            return None, None, None, *plain_gradients(plain, (g, *weights), ctx.needs_input_grad[3:], grads)
        with torch.autocast(g.device.type, enabled=False):
            return None, None, None, *_in_slices(ctx, g, weights, df)


def _in_slices(ctx: Any, g: Tensor, weights: list[Tensor], df: Tensor) -> list[Tensor]:
    """``d out_i = part_i^T df``, and through ``inner`` what ``d part_i = df out_i^T`` comes to."""
    out, parameters = _split([t.to(ctx.working) for t in weights], ctx.outs)
    dg, totals = torch.empty_like(g), [torch.zeros_like(t, dtype=summed_in(t.dtype)) for t in weights]
    for at in _slices(g):
        leaves = [t.detach().requires_grad_() for t in (g[at].to(ctx.working), *parameters)]
        with torch.enable_grad():
            parts = ctx.inner(at, *leaves)
        rows = df[at].to(ctx.working)
        dg[at], *back = torch.autograd.grad(parts, leaves, [linear(rows, o) for o in out])
        products = [linear(part.detach().flatten(0, -2).T, rows.flatten(0, -2).T) for part in parts]
        for total, gradient in zip(totals, [*products, *back], strict=True):
            total += gradient
    return [dg, *(total.to(t.dtype) for total, t in zip(totals, weights, strict=True))]


def _split(weights: Sequence[Tensor], outs: int) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    return weights[:outs], weights[outs:]


def _slices(g: Tensor) -> list[slice]:
    """Of the first dimension, about so many tokens each."""
    tokens = TOKENS if g.device.type == "cpu" else TOKENS_ELSEWHERE
    each = max(1, tokens // max(1, g[0].numel() // g.shape[-1])) if len(g) else 1
    return [slice(start, min(start + each, len(g))) for start in range(0, len(g), each)]
