"""Every compiled pass under what torch may do with a function of tensors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from attractor.energy import Edges
from attractor.energy.ops.passes.all_pairs import AllPairs
from attractor.energy.ops.passes.along_edges import AlongEdges
from attractor.energy.ops.passes.passed import Work, passed
from attractor.energy.ops.passes.rectified import ReluMemory

DIM, HEADS, WIDTH = 32, 2, 16
EDGES = Edges.build(torch.tensor([[0, 1, 3], [1, 2, 4]]), 5)


def all_pairs() -> tuple[Work, list[Tensor]]:
    return AllPairs(None, True), [torch.randn(2, 5, DIM), torch.randn(2, HEADS, WIDTH, DIM) / 9, torch.rand(HEADS) + 1]


def along_edges() -> tuple[Work, list[Tensor]]:
    mixing = [torch.eye(HEADS) + torch.rand(HEADS, HEADS) / 9 for _ in range(2)]
    weights = torch.randn(2, HEADS, WIDTH, DIM) / 9
    return AlongEdges(EDGES, True), [torch.randn(5, DIM), weights, *mixing, torch.rand(EDGES.count, HEADS) + 1]


def memory() -> tuple[Work, list[Tensor]]:
    return ReluMemory(), [torch.randn(7, DIM), torch.randn(48, DIM)]


@pytest.fixture(params=[all_pairs, along_edges, memory])
def case(request: pytest.FixtureRequest) -> tuple[Work, list[Tensor]]:
    """What is to be computed, and of what; all of it wants gradients."""
    make: Callable[[], tuple[Work, list[Tensor]]] = request.param
    work, operands = make()
    return work, [t.requires_grad_() for t in operands]


def test_goes_through_a_checkpoint(case: tuple[Work, list[Tensor]]) -> None:
    work, operands = case
    found = [
        torch.autograd.grad(results[-1].square().sum(), operands)
        for results in (passed(work, *operands), checkpoint(passed, work, *operands, use_reentrant=False))
    ]
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_gradient_that_is_to_be_derived_knows_operands_apart(case: tuple[Work, list[Tensor]]) -> None:
    """Also where one of them is made of another."""
    work, (first, *others) = case
    moved = passed(work, first, *others)[-1]
    loss = passed(work, first + moved, *others)[-1].square().sum()
    found = [torch.autograd.grad(loss, others, retain_graph=True, create_graph=further) for further in (True, False)]
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4 * float(b.abs().max()))


def test_operands_whose_sign_is_yet_to_be_turned(case: tuple[Work, list[Tensor]]) -> None:
    work, operands = case
    turned = [torch._neg_view(-t.detach()) for t in operands]
    assert all(torch.equal(a, b) for a, b in zip(passed(work, *turned), passed(work, *operands), strict=True))
