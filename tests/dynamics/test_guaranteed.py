"""The guaranteed rule: what it accepts, when it halts, what it costs, and its gradients."""

from __future__ import annotations

import pytest
import torch
from small_block import BATCH, gradients, small_block, tokens
from torch import Tensor, nn

from attractor.dynamics import Guaranteed, Landscape, Trace, descend
from attractor.energy import Context, Energy

RULE = {"rule": "guaranteed", "trace": "tokens"}


class Counted(Energy):
    """An energy that counts the samples it is evaluated on."""

    def __init__(self, energy: Energy):
        super().__init__()
        self.inner, self.batches = energy, []

    def evaluate(self, g: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        self.batches.append(len(g))
        return self.inner.evaluate(g, context)


class Steep(Energy):
    """``c |g|^2 / 2``: a step above ``2 / c`` overshoots."""

    def __init__(self, c: float = 1.0):
        super().__init__()
        self.c = c

    def energy(self, g: Tensor, context: Context | None = None) -> Tensor:
        return self.c * g.square().sum(dim=(1, 2)) / 2

    def force(self, g: Tensor, context: Context | None = None) -> Tensor:
        return -self.c * g


def assert_falls(trace: Trace, rounding: float = 0.0) -> None:
    """No energy rises, and some fall."""
    assert (trace.energies[1:] <= trace.energies[:-1] + rounding).all()
    assert (trace.energies[-1] < trace.energies[0]).any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("step_size", [0.01, 5.0, 1e30, 1e200])
def test_no_energy_rises_whatever_the_step(dtype: torch.dtype, step_size: float) -> None:
    energy, norm = small_block(dtype=dtype)
    x, trace = descend(energy, norm, tokens(dtype), steps=30, step_size=step_size, **RULE)
    assert_falls(trace)
    assert x.dtype == dtype
    assert x.isfinite().all()


def test_the_tokens_fall_too_when_evaluated_anew_in_float64() -> None:
    energy, norm = small_block(dtype=torch.float32)
    _, trace = descend(energy, norm, tokens(torch.float32), steps=50, step_size=5.0, **RULE)
    energy, norm = energy.double(), norm.double()
    with torch.no_grad():
        anew = torch.stack([energy(norm(x.double())) for x in trace.tokens])
    assert (anew[1:] <= anew[:-1] + 1e-6 * anew.abs().max()).all()
    torch.testing.assert_close(trace.energies.double(), anew, rtol=1e-5, atol=0)


def test_a_plain_step_would_rise_where_this_one_falls() -> None:
    x = torch.full((1, 1, 2), 1.0)
    settings = {"steps": 5, "step_size": 3.0, "trace": True}
    assert descend(Steep(), nn.Identity(), x, **settings)[1].rises().item() == 5
    assert_falls(descend(Steep(), nn.Identity(), x, rule="guaranteed", **settings)[1])


def test_the_accepted_size_is_the_first_half_that_satisfies_armijo() -> None:
    norm = small_block()[1]
    _, trace = descend(Steep(50.0), norm, tokens(), steps=20, step_size=64.0, **RULE)
    landscape, taken = Landscape(Steep(50.0), norm), trace.step_sizes
    assert (taken < 64.0).any()
    for t, size in enumerate(taken):
        here = landscape.at(trace.tokens[t])
        slope = (here.force * norm.jacobian(here.x, here.force)).sum(dim=(1, 2))
        trial = 64.0 if t == 0 else (2 * taken[t - 1]).clamp_max(64.0)
        twice = landscape.at(here.x + 2 * size[:, None, None] * here.force)
        walked = size > 0
        assert (trace.energies[t + 1] <= trace.energies[t] - 1e-4 * size * slope)[walked].all()
        could = walked & (2 * size <= trial)
        assert (twice.energy > here.energy - 1e-4 * 2 * size * slope)[could].all()


def test_a_small_step_is_the_fixed_step_at_the_same_cost() -> None:
    energy, norm = small_block()
    x, counted = tokens(), Counted(energy)
    y, trace = descend(counted, norm, x, steps=6, step_size=0.01, **RULE)
    z, plain = descend(energy, norm, x, steps=6, step_size=0.01, trace=True)
    assert torch.equal(y, z)
    assert torch.equal(trace.energies, plain.energies)
    assert counted.batches == [BATCH] * 7


def test_converged_samples_leave_the_batch_and_keep_their_state() -> None:
    energy, norm = small_block()
    x, rule = tokens(), {**RULE, "rule": Guaranteed(tolerance=1e-2)}
    x[0] = descend(energy, norm, x[:1], steps=300, step_size=5.0, rule="guaranteed")[0]
    counted = Counted(energy)
    y, trace = descend(counted, norm, x, steps=40, step_size=0.5, **rule)
    assert trace.steps[0] == trace.steps.min() == 1
    assert trace.converged[0]
    assert counted.batches[2] == BATCH - 1
    assert torch.equal(trace.tokens[1:, 0], trace.tokens[-1:, 0].expand(40, -1, -1))
    assert trace.step_sizes[1:, 0].count_nonzero() == trace.updates[1:, 0].count_nonzero() == 0
    alone, single = descend(energy, norm, x[1:2], steps=40, step_size=0.5, **rule)
    torch.testing.assert_close(y[1:2], alone)
    torch.testing.assert_close(trace.energies[:, 1:2], single.energies)


def test_the_walk_ends_when_all_have_halted_and_the_trace_keeps_its_length() -> None:
    counted = Counted(Steep())
    _, trace = descend(counted, nn.Identity(), tokens(), steps=1000, step_size=1.0, **RULE)
    assert len(counted.batches) < 10
    assert trace.converged.all()
    assert len(trace.energies) == len(trace.tokens) == 1001
    assert len(trace.step_sizes) == 1000
    assert trace.rises().sum() == 0


def test_at_the_rounding_floor_it_halts() -> None:
    energy, norm = small_block(dtype=torch.bfloat16)
    _, trace = descend(energy, norm, tokens(torch.bfloat16), steps=100, step_size=5.0, **RULE)
    assert trace.converged.all()
    assert (trace.steps < 100).all()
    assert trace.rises().sum() == 0


def test_a_norm_turned_round_is_not_walked_up() -> None:
    energy, norm = small_block()
    norm.gamma.data.neg_()
    x = tokens()
    y, trace = descend(energy, norm, x, **RULE)
    assert trace.rises().sum() == 0
    assert torch.equal(x, y)


def test_a_sample_that_is_not_a_number_leaves_the_others_alone() -> None:
    energy, norm = small_block()
    x = tokens()
    x[1] = torch.nan
    y, trace = descend(energy, norm, x, step_size=2.0, **RULE)
    torch.testing.assert_close(y[2:], descend(energy, norm, x[2:], step_size=2.0, rule="guaranteed")[0])
    assert trace.steps[1] == 0
    assert not trace.converged[1]


def test_padding_does_not_count_even_where_it_is_not_a_number() -> None:
    energy, norm = small_block()
    x = tokens()
    real = torch.ones(x.shape[:2], dtype=torch.bool)
    real[:, -1] = False
    context = Context(tokens=real)
    settings = {"steps": 20, "step_size": 5.0, "context": context, **RULE}
    y, trace = descend(energy, norm, x.masked_fill(~real[..., None], torch.nan), **settings)
    z, expected = descend(energy, norm, x, **settings)
    torch.testing.assert_close(y[:, :-1], z[:, :-1])
    for name in ("energies", "forces", "step_sizes", "updates"):
        torch.testing.assert_close(getattr(trace, name), getattr(expected, name))
    assert trace.steps.min() > 0


def loss_of(energy: Energy, norm: nn.Module, x: Tensor, step_size: float) -> tuple[Tensor, Trace]:
    """A loss at the end of five guaranteed steps."""
    y, trace = descend(energy, norm, x, steps=5, step_size=step_size, **RULE)
    return norm(y).sin().sum(), trace


@pytest.mark.parametrize("step_size", [0.05, 40.0, 1e200])
def test_gradients_are_finite_differences_at_the_same_steps(step_size: float) -> None:
    energy, norm = small_block()
    energy, x = energy + Steep(3.0), tokens().requires_grad_()
    leaves = [x, norm.gamma, norm.delta, *energy.parameters()]
    loss, trace = loss_of(energy, norm, x, step_size)
    assert (trace.steps == 5).all()
    for leaf, gradient in zip(leaves, gradients(loss, *leaves), strict=True):
        direction, h = torch.randn_like(leaf), 1e-7
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                leaf += sign * h * direction
                end, same = loss_of(energy, norm, x, step_size)
                leaf -= sign * h * direction
            assert torch.equal(same.step_sizes, trace.step_sizes)
            ends.append(end)
        slope = (ends[0] - ends[1]) / (2 * h)
        torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-6)


def test_a_trial_that_overflows_leaves_no_nan_in_any_gradient() -> None:
    energy, norm = small_block()
    x = tokens()
    x[0] *= 1e150  # squares of this overflow after one large step, those of the others do not
    y, trace = descend(energy, norm, x, steps=3, step_size=1e153, **RULE)
    assert trace.rises().sum() == 0
    assert all(g.isfinite().all() for g in gradients(norm(y).sum(), norm.gamma, *energy.parameters()))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_autograd(mode: type) -> None:
    energy, norm = small_block()
    x = tokens()
    expected = descend(energy, norm, x, step_size=20.0, rule="guaranteed")[0]
    with mode():
        y, trace = descend(energy, norm, x, step_size=20.0, **RULE)
    assert torch.equal(y, expected.detach())
    assert_falls(trace)


def test_under_bfloat16_autocast() -> None:
    energy, norm = small_block(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        y, trace = descend(energy, norm, tokens(torch.float32), steps=20, step_size=5.0, **RULE)
    assert y.dtype == torch.float32
    assert_falls(trace)
    assert all(g.isfinite().all() for g in gradients(y.sum(), *energy.parameters()))
