"""Functions that a compiled pass computes, and another one their gradients; any further derivative is torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from attractor.energy.ops.eager import is_transformed
from attractor.energy.ops.plain_gradients import plain_gradients

Tensors = tuple[Tensor, ...]


class Work(Protocol):
    """What is to be computed of some operands, in three ways."""

    @property
    def plain(self) -> Callable[..., Tensors]:
        """``plain(*operands)``: the results by torch's own operations, by any derivative."""

    @property
    def results(self) -> Callable[..., tuple[Tensors, Tensors]]:
        """``results(*operands, keep)``: the same at once, and what gradients want of it, if they are to ``keep`` it."""

    def gradients(self, operands: Tensors, kept: Tensors, upstream: tuple[Tensor | None, ...]) -> Tensors:
        """Of every operand, from those of the results, None where one sends nothing back."""


def passed(work: Work, *operands: Tensor) -> Tensors:
    """The results of ``work``, differentiable to any order.

    Second and higher derivatives go through ``work.plain`` and hold all that it holds.
    """
    return _Passed.apply(work, *operands)


class _Passed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, work: Work, *operands: Tensor) -> Tensors:
        results, kept = work.results(*operands, keep=any(ctx.needs_input_grad))
        ctx.save_for_backward(*operands, *kept)
        ctx.work, ctx.count = work, len(operands)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # read once: a checkpoint gives them no second time
        operands, kept = saved[: ctx.count], saved[ctx.count :]
        if torch.is_grad_enabled() or is_transformed(*(d for d in upstream if d is not None)):
            return None, *plain_gradients(ctx.work.plain, operands, ctx.needs_input_grad[1:], upstream)
        return None, *ctx.work.gradients(operands, kept, upstream)
