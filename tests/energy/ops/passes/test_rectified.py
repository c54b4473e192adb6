"""The memory in one pass: the numbers and derivatives of the plain way, a few tokens at a time."""

from __future__ import annotations

import pytest
import torch
from agreeing import assert_close, assert_same_further_gradients, assert_same_gradients
from torch import Tensor

from attractor.energy import Context, HopfieldMemory
from attractor.energy.ops.passes import rectified as module
from attractor.energy.ops.passes.passed import passed
from attractor.energy.ops.passes.rectified import BLOCK, ReluMemory
from many_threads import cut_for_two_threads


def operands(tokens: int) -> tuple[Tensor, Tensor]:
    return torch.randn(tokens, 32).requires_grad_(), torch.randn(48, 32).requires_grad_()


@pytest.mark.parametrize("chunk", [1, 2**16])
@pytest.mark.parametrize("tokens", [0, 1, 5, BLOCK, BLOCK + 1, 5 * BLOCK - 7])
def test_equals_the_plain_way_with_its_gradients(tokens: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    assert_same_gradients(ReluMemory(), operands(tokens))


def test_further_derivatives_are_those_of_the_plain_way() -> None:
    assert_same_further_gradients(ReluMemory(), operands(7), lambda results: results[0].square().mean())


@pytest.mark.parametrize("own", [True, False])
def test_threads_share_the_tokens(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given = operands(6 * BLOCK)
    (alone,) = passed(ReluMemory(), *given)
    gradients = torch.autograd.grad(alone.sum(), given)
    cut_for_two_threads(monkeypatch, own)
    (shared,) = passed(ReluMemory(), *given)
    assert torch.equal(alone, shared)
    assert_close(torch.autograd.grad(shared.sum(), given), gradients)


def test_what_is_not_a_number_is_seen() -> None:
    g, xi = (t.detach() for t in operands(9))
    g[4, 3] = float("nan")
    (force,) = passed(ReluMemory(), g, xi)
    assert force[4].isnan().all() and force[:4].isfinite().all() and force[5:].isfinite().all()


def test_takes_what_it_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAST", True)
    g, xi = torch.zeros(2**14, 128), torch.zeros(512, 128)
    assert ReluMemory.takes(g, xi)
    prime = torch.zeros(16 * 67, 128)  # which cannot be cut into chunks
    wide = torch.zeros(2**14, 272), torch.zeros(512, 272)
    for others in ((g[:99], xi), (g, prime), wide, (g, xi[:500]), (g[:, :9], xi[:, :9]), (g.double(), xi)):
        assert not ReluMemory.takes(*others)
    monkeypatch.setattr(module, "FAST", False)
    assert not ReluMemory.takes(g, xi)


@pytest.mark.parametrize("settings", [{}, {"bias": True}, {"activation": "gelu"}])
def test_the_energy_takes_it_where_it_may_and_remains_what_it_is(
    settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SMALLEST", 0)
    memory, used, found, results = HopfieldMemory(32, 48, **settings), [], [], ReluMemory.results
    monkeypatch.setattr(ReluMemory, "results", lambda *given, keep: used.append(given) or results(*given, keep=keep))
    g, tokens = torch.randn(2, 9, 32, requires_grad=True), torch.rand(2, 9) > 0.3
    for on in (True, False):
        monkeypatch.setattr(module, "FAST", on)
        force = memory.force(g, Context(tokens=tokens))
        found.append([force, *torch.autograd.grad(force.square().sum(), [g, *memory.parameters()])])
    assert len(used) == (not settings)
    assert_close(*found)
