"""Forces a few rows at a time: what tokens make on the way stays in the cache, and is made anew for gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from attractor.energy.ops.linear_maps import linear

TOKENS = 2**11  # at once: their queries and keys fill a good part of a CPU's cache
SMALL = 2**8  # tokens that are not worth the trouble
TOKENS_ELSEWHERE = 2**16  # kernels are launched one by one and want to be large

# Of rows of g and of the parameters the parts a force is a linear map of.
Inner = Callable[..., tuple[Tensor, ...]]


def recomputed(inner: Inner, g: Tensor, out: Sequence[Tensor], parameters: Sequence[Tensor | None]) -> Tensor:
    r"""``sum_i part_i out_i`` with ``parts = inner(at, g[at], *parameters)`` for slices ``at`` of the rows, like ``g``.

    ``g (B, ..., D)``, ``part_i (b, ..., M_i)``, ``out_i (M_i, D)``. Rows must not feel each other. Between the passes
    nothing is held but ``g``. Products are taken in the type that autocast asks for, sums over rows in that of the
    parameters. Source: Chen et al. 2016, training with sublinear memory, for the idea.
    """
    if torch.compiler.is_compiling() or torch.compiler.is_exporting() or g.numel() <= SMALL * g.shape[-1]:
        return plainly(inner, g, out, parameters)
    kind = g.device.type
    working = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else g.dtype
    return _Recomputed.apply(inner, working, len(out), g, *out, *parameters)


def plainly(inner: Inner, g: Tensor, out: Sequence[Tensor], parameters: Sequence[Tensor | None]) -> Tensor:
    """The same at once, by any derivative; holds all the parts."""
    first, *rest = (
        linear(part, o.T.to(part.dtype)) for part, o in zip(inner(slice(None), g, *parameters), out, strict=True)
    )
    return sum((t.to(g.dtype) for t in rest), start=first.to(g.dtype))


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inner: Inner, working: torch.dtype, outs: int, g: Tensor, *weights: Tensor | None) -> Tensor:
        ctx.save_for_backward(g, *weights)
        ctx.inner, ctx.working, ctx.outs = inner, working, outs
        cast = [_cast(t, working) for t in weights]
        force = torch.empty_like(g)
        with torch.autocast(g.device.type, enabled=False):
            for at in _slices(g):
                parts = inner(at, g[at].to(working), *cast[outs:])
                _write_products(force[at], parts, cast[:outs])
        return force

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        g, *weights = ctx.saved_tensors
        wanted = ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():  # who wants a further derivative holds all the parts
            found = _differentiable(ctx, g, weights, grads[0], wanted)
        else:
            with torch.autocast(g.device.type, enabled=False):
                found = _in_slices(ctx, g, weights, grads[0], wanted)
        return None, None, None, *found


def _in_slices(
    ctx: Any, g: Tensor, weights: list[Tensor | None], df: Tensor, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """``d out_i = part_i^T df``, and through ``inner`` what ``d part_i = df out_i^T`` comes to."""
    outs = ctx.outs
    cast = [_cast(t, ctx.working) for t in weights]
    dg = torch.empty_like(g)
    totals = [
        torch.zeros_like(t) if t is not None and want else None for t, want in zip(weights, wanted[1:], strict=True)
    ]
    for at in _slices(g):
        rows = df[at].to(ctx.working)
        leaves = [g[at].to(ctx.working), *cast[outs:]]
        leaves = [None if t is None else t.detach().requires_grad_() for t in leaves]
        with torch.enable_grad():
            parts = ctx.inner(at, *leaves)
        tracked = [t for t in leaves if t is not None]
        back = iter(torch.autograd.grad(parts, tracked, [linear(rows, o) for o in cast[:outs]]))
        flown = [None if t is None else next(back) for t in leaves]
        dg[at] = flown[0]
        flat = rows.flatten(0, -2)
        for total, part in zip(totals, parts, strict=False):
            if total is not None:
                total += linear(part.detach().flatten(0, -2).T, flat.T)
        for total, grad in zip(totals[outs:], flown[1:], strict=True):
            if total is not None:
                total += grad
    return [dg if wanted[0] else None, *totals]


def _differentiable(
    ctx: Any, g: Tensor, weights: list[Tensor | None], df: Tensor, wanted: Sequence[bool]
) -> list[Tensor | None]:
    inputs = [g, *weights]
    force = plainly(ctx.inner, g, weights[: ctx.outs], weights[ctx.outs :])  # type: ignore[arg-type]
    tracked = [t for t, want in zip(inputs, wanted, strict=True) if want]
    back = iter(torch.autograd.grad(force, tracked, df, create_graph=True, allow_unused=True))
    return [next(back) if want else None for want in wanted]


def _slices(g: Tensor) -> list[slice]:
    """Of the first dimension, about so many tokens each."""
    tokens = TOKENS if g.device.type == "cpu" else TOKENS_ELSEWHERE
    each = max(1, tokens // max(1, g[0].numel() // g.shape[-1])) if len(g) else 1
    return [slice(start, min(start + each, len(g))) for start in range(0, len(g), each)]


def _write_products(force: Tensor, parts: Sequence[Tensor], out: Sequence[Tensor | None]) -> None:
    """``force = sum_i part_i out_i``."""
    first, *rest = (linear(part, o.T) for part, o in zip(parts, out, strict=True) if o is not None)
    force.copy_(first)
    for product in rest:
        force += product


def _cast(t: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return t if t is None else t.to(dtype)
