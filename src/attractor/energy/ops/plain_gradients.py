"""Gradients of a function by torch's own operations: for a further derivative, or many gradients at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def plain_gradients(
    plain: Callable[..., Sequence[Tensor]],
    operands: Sequence[Tensor],
    wanted: Sequence[bool],
    upstream: Sequence[Tensor | None],
) -> tuple[Tensor | None, ...]:
    """Of ``plain(*operands)``, for every operand, from those of its results; None where not ``wanted``.

    They can be derived again where torch is asked for that. Results that send nothing back have None.
    """
    further = torch.is_grad_enabled()
    with torch.enable_grad():
        operands = [t.view_as(t) for t in operands]  # apart: one may be made of another, or be the same
        results = plain(*operands)
    sent = [(r, d) for r, d in zip(results, upstream, strict=True) if d is not None]
    leaves = [t for t, want in zip(operands, wanted, strict=True) if want]
    ends, grads = zip(*sent, strict=True)
    found = iter(torch.autograd.grad(ends, leaves, grads, create_graph=further, allow_unused=True))
    return tuple(next(found) if want else None for want in wanted)
