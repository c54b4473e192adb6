"""The fixed point and its implicit gradients: against unrolled ones, their memory, and what is refused."""

from __future__ import annotations

import pytest
import torch
from small_block import gradients, small_block, tokens
from torch import Tensor, nn

from attractor.dynamics import Equilibrium, Landscape, Recorder, descend
from attractor.dynamics.equilibrium import conjugate_residuals
from attractor.energy import Context
from attractor.errors import InputError

FAR = {"steps": 2000, "step_size": 0.5}


class Unrolled:
    """``x <- x - alpha dE/dx``, every step kept: what the implicit gradient must agree with in the end.

    (Along -dE/dg the scale of x grows with every step, and thousands of them still remember the start.)
    """

    def run(self, landscape: Landscape, x: Tensor, steps: int, step_size: float, recorder: Recorder | None) -> Tensor:
        for _ in range(steps):
            x = x + step_size * landscape.norm.jacobian(x, landscape.force(x))
        return x


def loss_of(y: Tensor, norm: nn.Module) -> Tensor:
    """A loss that reads y through the energy's norm and through another."""
    weight = torch.linspace(-1, 1, y[0].numel(), dtype=y.dtype).view_as(y[0])
    return (weight * norm(y)).sum() + (weight * nn.functional.layer_norm(y, y.shape[-1:])).sin().sum()


def test_it_is_a_minimum_and_says_so() -> None:
    energy, norm = small_block()
    x = tokens()
    y, trace = descend(energy, norm, x, trace=True, rule="equilibrium", **FAR)
    assert trace.converged.all()
    assert trace.rises().sum() == 0
    assert (trace.forces[-1] < 1e-4 * trace.forces[0]).all()
    assert (y.std(dim=-1) < 10 * x.std(dim=-1)).all()  # the scale, which nothing reads, does not run away
    assert not descend(energy, norm, x, trace=True, rule="equilibrium", steps=2)[1].converged.any()


@pytest.mark.parametrize("padded", [False, True])
def test_gradients_are_those_of_the_unrolled_descent(padded: bool) -> None:
    energy, norm = small_block(std=0.3)
    norm.eps = 1e-12
    x, real = tokens(), torch.ones(4, 5, dtype=torch.bool)
    weights = torch.full((4, 5, 5), 1.0, dtype=torch.float64, requires_grad=True)
    real[:, -1] = not padded
    context = Context(tokens=real, weights=weights)
    leaves = [weights, norm.gamma, norm.delta, *energy.parameters()]
    implicit, trace = descend(energy, norm, x, rule=Equilibrium(1e-10), context=context, trace=True, **FAR)
    assert trace.converged.all()
    start = norm.standardize(implicit)[0].detach()  # near the end, so in the same basin, and of scale 1
    unrolled = descend(energy, norm, start, rule=Unrolled(), context=context, steps=1000, step_size=0.15)[0]
    torch.testing.assert_close(norm(implicit), norm(unrolled), rtol=0, atol=1e-6)
    for actual, expected in zip(*(gradients(loss_of(y, norm), *leaves) for y in (implicit, unrolled)), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_gradients_are_finite_differences_of_the_minimum() -> None:
    energy, norm = small_block(std=0.3)
    rule, start = Equilibrium(1e-10), descend(*(block := (energy, norm)), tokens(), rule=Equilibrium(1e-10), **FAR)[0]
    start = start.detach()
    leaves = [norm.gamma, norm.delta, *energy.parameters()]
    analytic = gradients(loss_of(descend(*block, start, rule=rule, **FAR)[0], norm), *leaves)
    for leaf, gradient in zip(leaves, analytic, strict=True):
        direction, h, ends = torch.randn_like(leaf), 1e-3, []
        for shift in (h, -h):
            with torch.no_grad():
                leaf += shift * direction
                ends.append(loss_of(descend(*block, start, rule=rule, **FAR)[0], norm))
                leaf -= shift * direction
        expected = (ends[0] - ends[1]) / (2 * h)
        torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-3, atol=1e-3)


def test_memory_does_not_depend_on_the_number_of_steps() -> None:
    energy, norm = small_block()
    x, kept = tokens(), []
    for steps in (1, 5, 50):
        saved: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=saved: s.append(t.numel()) or t, lambda t: t):
            descend(energy, norm, x, rule="equilibrium", steps=steps)
        kept.append(sum(saved))
    assert kept[0] == kept[1] == kept[2] > 0


def test_the_start_gets_no_gradient_and_a_second_derivative_is_refused() -> None:
    energy, norm = small_block()
    x = tokens().requires_grad_()
    loss = norm(descend(energy, norm, x, rule="equilibrium", **FAR)[0]).sin().sum()
    with pytest.raises(InputError, match="second derivative"):
        torch.autograd.grad(loss, norm.gamma, create_graph=True)
    (start, gamma) = torch.autograd.grad(loss, (x, norm.gamma), allow_unused=True)
    assert start is None
    assert gamma.isfinite()


def test_without_autograd_nothing_is_tied() -> None:
    energy, norm = small_block()
    with torch.inference_mode():
        y, trace = descend(energy, norm, tokens(), rule="equilibrium", trace=True, **FAR)
    assert not y.requires_grad
    assert trace.converged.all()


def test_another_norm_is_refused() -> None:
    with pytest.raises(InputError, match="EnergyLayerNorm"):
        descend(small_block()[0], nn.LayerNorm(8).double(), tokens(), rule="equilibrium")


@pytest.mark.parametrize("signs", ["positive", "indefinite", "singular"])
def test_conjugate_residuals_solve_every_sample(signs: str) -> None:
    eigenvalues = torch.linspace(1, 5, 20, dtype=torch.float64).repeat(3, 1)
    if signs == "indefinite":
        eigenvalues[:, ::3] *= -1
    if signs == "singular":
        eigenvalues[1, :4] = 0
    q = torch.linalg.qr(torch.randn(3, 20, 20, dtype=torch.float64))[0]
    matrix = q @ torch.diag_embed(eigenvalues) @ q.mT
    exact = q @ (q.mT @ torch.randn(3, 20, 1, dtype=torch.float64) * (eigenvalues != 0)[..., None])
    w = conjugate_residuals(lambda v: matrix @ v, matrix @ exact, 1e-12, 200)
    torch.testing.assert_close(w, exact, rtol=0, atol=1e-8)
    assert conjugate_residuals(lambda v: matrix @ v, 0 * exact, 1e-12, 5).count_nonzero() == 0
