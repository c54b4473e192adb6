"""The continuous flow: against small Euler steps, its energy, its time scale and both ways to its gradients."""

from __future__ import annotations

import pytest
import torch
from small_block import gradients, small_block, tokens

from attractor.dynamics import ODE, descend
from attractor.dynamics.ode import METHODS
from attractor.energy import Context, Energy, EnergyLayerNorm
from attractor.errors import InputError

EXACT = {"rtol": 1e-7, "atol": 1e-8}


def smooth_block() -> tuple[Energy, EnergyLayerNorm]:
    """Attention alone: where a relu bends, a solver of high order must creep."""
    energy, norm = small_block()
    return energy.terms[0], norm


def test_euler_approaches_the_flow_at_first_order() -> None:
    energy, norm = smooth_block()
    x = tokens()
    flow = descend(energy, norm, x, steps=1, step_size=1.0, rule=ODE(**EXACT))[0]
    errors = [(descend(energy, norm, x, steps=n, step_size=1 / n)[0] - flow).norm().item() for n in (50, 100, 200)]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_the_energy_falls_along_every_solver(method: str) -> None:
    energy, norm = smooth_block()
    x, trace = descend(energy, norm, tokens(), steps=5, step_size=0.3, rule=ODE(method=method), trace="tokens")
    assert trace.energies.shape == (6, len(x))
    assert trace.rises().sum() == 0
    assert (trace.step_sizes == 0.3).all()
    assert torch.equal(trace.tokens[-1], x)
    torch.testing.assert_close(trace.updates[0], (trace.tokens[1] - trace.tokens[0]).flatten(1).norm(dim=1))


def test_tau_is_the_unit_of_time() -> None:
    energy, norm = smooth_block()
    x = tokens()
    slow = descend(energy, norm, x, steps=4, step_size=0.5, rule=ODE(tau=4.0, **EXACT))[0]
    fast = descend(energy, norm, x, steps=1, step_size=0.5, rule=ODE(**EXACT))[0]
    torch.testing.assert_close(slow, fast, rtol=1e-5, atol=1e-6)
    assert torch.equal(descend(energy, norm, x, steps=0, rule="ode")[0], x)


def test_the_adjoint_has_the_gradients_of_the_solver() -> None:
    energy, norm = smooth_block()
    x, weights = tokens().requires_grad_(), torch.rand(5, 5, dtype=torch.float64, requires_grad=True)
    leaves = [x, weights, norm.gamma, norm.delta, *energy.parameters()]
    through, back = (
        gradients(norm(descend(energy, norm, x, rule=rule, context=Context(weights=weights))[0]).sin().sum(), *leaves)
        for rule in (ODE(**EXACT), ODE(adjoint=True, **EXACT))
    )
    torch.testing.assert_close(back, through, rtol=1e-4, atol=1e-6)


def test_the_adjoint_keeps_no_graph_of_the_way() -> None:
    energy, norm = smooth_block()
    saved: list[int] = []
    x = tokens().requires_grad_()
    for steps in (2, 20):
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t):
            descend(energy, norm, x, steps=steps, rule=ODE(adjoint=True))
        saved.append(sum(kept))
    assert saved[0] == saved[1]


@pytest.mark.parametrize("filling", [1e3, 1e30, torch.nan])
def test_the_solver_does_not_see_what_stands_where_no_token_is(filling: float) -> None:
    energy, norm = small_block()
    real = torch.tensor([True, True, False])[torch.arange(tokens().shape[1]) % 3].expand(len(tokens()), -1)
    context, settings = Context(tokens=real), {"steps": 3, "rule": "ode", "trace": True}
    x = tokens().masked_fill(~real.unsqueeze(-1), 0)
    y, trace = descend(energy, norm, x, context=context, **settings)
    other = x.masked_fill(~real.unsqueeze(-1), filling)
    z, beside = descend(energy, norm, other, context=context, **settings)
    assert torch.equal(z[real], y[real]) and torch.equal(beside.updates, trace.updates)
    torch.testing.assert_close(z[~real], other[~real], equal_nan=True)  # left as it was, as by the other rules


def test_bad_settings_and_a_solver_that_gives_up_are_named() -> None:
    with pytest.raises(InputError, match="euler"):
        ODE(method="euler")
    for tau in (0.0, "1", float("inf"), float("nan")):
        with pytest.raises(InputError, match="tau"):
            ODE(tau=tau)
    with pytest.raises(InputError, match="gave up"):
        descend(*small_block(), tokens() * torch.nan, rule="ode")


def test_a_flow_too_long_to_follow_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.dynamics.ode.MOST_STEPS", 5)
    energy, norm = small_block()
    with pytest.raises(InputError, match="after 5 steps"):
        descend(energy, norm, tokens(), steps=1, step_size=100.0, rule="ode")
