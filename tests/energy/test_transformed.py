"""Every energy under torch's function transforms: of tokens, of parameters, backward, forward and many at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jacfwd, jvp, vmap

from attractor.energy import Context, Edges, Energy, EnergyAttention, HopfieldMemory

B, N, DIM = 2, 20, 32
GRAPH = Edges.build(torch.stack([torch.arange(N - 1), torch.arange(1, N)]), N)

# Each of them far enough from small that, outside of transforms, a way of its own is taken.
ENERGIES: dict[str, Callable[[], Energy]] = {
    "attention": lambda: EnergyAttention(DIM, 2, 16, learn_beta=True, include_self=True),
    "attention-mixed": lambda: EnergyAttention(DIM, 2, 16, learn_beta=True, bias=True, mix_heads=True),
    "memory": lambda: HopfieldMemory(DIM, 48),
    "memory-bias": lambda: HopfieldMemory(DIM, 48, bias=True),
    "sum": lambda: EnergyAttention(DIM, 2, 16) + HopfieldMemory(DIM, 48) + HopfieldMemory(DIM, 16),
}
CONTEXTS: dict[str, Callable[[], Context | None]] = {
    "alone": lambda: None,
    "edges": lambda: Context(edges=(GRAPH,)),
    "weighted-edges": lambda: Context(edges=(GRAPH,), weights=torch.rand(GRAPH.count, 2) + 0.5),
}


class Force(nn.Module):
    """The force alone, as a module of parameters."""

    def __init__(self, energy: Energy, context: Context | None):
        super().__init__()
        self.energy, self.context = energy, context

    def forward(self, g: Tensor) -> Tensor:
        return self.energy.force(g, self.context)


@pytest.fixture(params=[(e, c) for e in ENERGIES for c in CONTEXTS if c == "alone" or not e.startswith("memory")])
def force(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Force:
    """Of an energy somewhere, where even the smallest work is worth a way of its own."""
    for module in ("recomputing", "linear_maps", "alignment"):
        monkeypatch.setattr(f"attractor.energy.ops.{module}.SMALL", 0)
    for module in ("all_pairs", "rectified"):
        monkeypatch.setattr(f"attractor.energy.ops.passes.{module}.SMALLEST", 0)
    monkeypatch.setattr("attractor.energy.ops.linear_maps.PAYS", torch.backends.mkldnn.is_available())
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    energy, context = request.param
    return Force(ENERGIES[energy](), CONTEXTS[context]())


def tokens(force: Force) -> Tensor:
    return torch.randn(B if force.context is None else 1, N, DIM)


def parameters(force: Force) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in force.named_parameters()}


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * max(1.0, float(expected.detach().abs().max())))


def test_gradients_of_parameters(force: Force) -> None:
    g = tokens(force)
    found = grad(lambda p: functional_call(force, p, (g,)).square().sum())(parameters(force))
    expected = torch.autograd.grad(force(g).square().sum(), list(force.parameters()))
    for (name, _), exact in zip(force.named_parameters(), expected, strict=True):
        close(found[name], exact)


@pytest.mark.parametrize("grads", [True, False])
def test_many_parameters_at_once(force: Force, grads: bool) -> None:
    g, own = tokens(force), parameters(force)
    many = {name: torch.stack([p, 2 * p]) for name, p in own.items()}
    with torch.set_grad_enabled(grads):
        found = vmap(lambda p: functional_call(force, p, (g,)))(many)
        for i in range(2):
            close(found[i], functional_call(force, {name: p[i] for name, p in many.items()}, (g,)))


def test_many_tokens_at_once(force: Force) -> None:
    many = torch.stack([tokens(force), tokens(force)])
    close(vmap(force)(many), torch.stack([force(g) for g in many]))


@pytest.mark.parametrize("grads", [True, False])
def test_forward(force: Force, grads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    g, v = tokens(force), tokens(force)
    with monkeypatch.context() as held:
        held.setattr("attractor.energy.ops.alignment.SMALL", N**2 * B * 2)
        expected = torch.autograd.functional.jvp(force, g, v)[1]  # backward twice
    with torch.set_grad_enabled(grads):
        tangents = [jvp(force, (g,), (v,))[1]]
        with forward_ad.dual_level():
            tangents.append(forward_ad.unpack_dual(force(forward_ad.make_dual(g, v))).tangent)
        tangents.append(jacfwd(lambda t: force(g + t * v))(torch.zeros(())))
    for tangent in tangents:
        close(tangent, expected)


@pytest.mark.parametrize("grad_of_grad", [False, True])
def test_many_gradients_at_once(force: Force, grad_of_grad: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    g = tokens(force).requires_grad_()
    if grad_of_grad:  # one derivative more than strips have
        monkeypatch.setattr("attractor.energy.ops.alignment.SMALL", N**2 * B * 2)
    leaves, many = [g, *force.parameters()], torch.randn(3, *g.shape)
    ends: Tensor = force(g)
    if grad_of_grad:
        (ends,) = torch.autograd.grad(ends.square().sum(), g, create_graph=True)
    settings = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
    found = torch.autograd.grad(ends, leaves, many, is_grads_batched=True, **settings)
    mapped = vmap(lambda upstream: torch.autograd.grad(ends, leaves, upstream, **settings))(many)
    for i, upstream in enumerate(many):
        expected = torch.autograd.grad(ends, leaves, upstream, **settings)
        for one, other, exact in zip(found, mapped, expected, strict=True):
            close(one[i], exact)
            close(other[i], exact)


def test_jacobians(force: Force) -> None:
    g = tokens(force)[:, :3] if force.context is None else tokens(force)
    v = torch.randn_like(g)

    def along(t: Tensor) -> Tensor:
        return force(g + t[0] * v + t[1])

    at = torch.zeros(2)
    expected = torch.autograd.functional.jacobian(along, at)
    for strategy in ("reverse-mode", "forward-mode"):
        close(torch.autograd.functional.jacobian(along, at, vectorize=True, strategy=strategy), expected)
