"""What a compiled pass gives, held against the plain way: results, gradients, and gradients of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from attractor.energy.ops.passes.passed import Work, passed


def assert_close(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    """To 1e-4 of the largest number, or of 1."""
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4 * max([1.0, *b.abs().flatten().tolist()]))


def assert_same_gradients(work: Work, given: Sequence[Tensor]) -> None:
    """Results too; what is not used of several sends nothing back."""
    mine, plain = passed(work, *given), work.plain(*given)
    assert_close(mine, plain)
    upstream = [torch.randn_like(t) for t in mine]
    for used in (slice(None), slice(1), slice(-1, None)):
        found, expected = (
            torch.autograd.grad(results[used], given, upstream[used], retain_graph=True, materialize_grads=True)
            for results in (mine, plain)
        )
        assert_close(found, expected)


def assert_same_further_gradients(
    work: Work, given: Sequence[Tensor], loss: Callable[[Sequence[Tensor]], Tensor]
) -> None:
    """Of the squares of the gradients of a ``loss`` of the results."""
    found = []
    for results in (passed(work, *given), work.plain(*given)):
        first = torch.autograd.grad(loss(results), given, create_graph=True, materialize_grads=True)
        squares = torch.stack([t.square().sum() for t in first]).sum()
        found.append(torch.autograd.grad(squares, given, materialize_grads=True))
    assert_close(*found)
