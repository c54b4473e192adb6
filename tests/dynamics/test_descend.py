"""The descent and its fixed step: noise, blocks in sequence, compilers, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_block import small_block, tokens
from torch import Tensor, nn

from attractor.dynamics import Fixed, descend, descend_blocks
from attractor.energy import Context
from attractor.errors import InputError


class Two(nn.Module):
    """Two fixed steps."""

    def __init__(self) -> None:
        super().__init__()
        self.energy, self.norm = small_block(dtype=torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        return descend(self.energy, self.norm, x, steps=2)[0]


def test_no_noise_is_the_plain_step_and_a_seed_repeats_the_walk() -> None:
    energy, norm = small_block()
    x = tokens()

    def walk(noise: float, seed: int) -> Tensor:
        return descend(energy, norm, x, rule=Fixed(noise, torch.Generator().manual_seed(seed)))[0]

    assert torch.equal(walk(0.0, 1), descend(energy, norm, x)[0])
    assert torch.equal(walk(0.3, 1), walk(0.3, 1))
    assert not torch.equal(walk(0.3, 1), walk(0.3, 2))


def test_the_noise_has_the_variance_of_a_langevin_step() -> None:
    energy, norm = small_block()
    x = tokens().repeat(500, 1, 1)
    plain, noisy = (descend(energy, norm, x, steps=1, step_size=0.25, rule=Fixed(n))[0] for n in (0.0, 0.6))
    assert (noisy - plain).std().item() == pytest.approx(0.25**0.5 * 0.6, rel=0.01)
    assert (noisy - plain).mean().abs() < 0.005


def test_a_place_without_a_token_is_not_kicked() -> None:
    energy, norm = small_block()
    x = tokens()
    real = torch.rand(x.shape[:2]) > 0.3
    y, trace = descend(energy, norm, x, steps=1, rule=Fixed(0.6), context=Context(tokens=real), trace=True)
    assert torch.equal(y[~real], x[~real]) and not torch.equal(y[real], x[real])
    torch.testing.assert_close(trace.updates[0], (y - x).flatten(1).norm(dim=1))


def test_blocks_run_one_after_another_and_both_readings_of_the_seam_are_kept() -> None:
    first, second, x = small_block(), small_block(), tokens()
    settings = {"steps": 3, "step_size": 0.05, "rule": "guaranteed"}
    y, traces = descend_blocks([first, second], x, trace="tokens", **settings)
    trace = traces[0] + traces[1]
    middle, one = descend(*first, x, trace="tokens", **settings)
    end, two = descend(*second, middle, trace="tokens", **settings)
    assert torch.equal(y, end)
    assert torch.equal(trace.energies, torch.cat([one.energies, two.energies]))
    assert torch.equal(trace.tokens[3], trace.tokens[4])
    assert trace.seams == (3,)
    assert trace.step_sizes[3].count_nonzero() == trace.updates[3].count_nonzero() == 0
    assert trace.steps.tolist() == (one.steps + two.steps).tolist()
    assert trace.rises().tolist() == [0] * len(x)  # whatever the energy does where it changes
    assert (trace + trace).seams == (3, 7, 11)


@pytest.mark.parametrize("rule", ["fixed", "guaranteed", "ode", "equilibrium"])
def test_what_stands_where_no_token_is_reaches_no_gradient(rule: str) -> None:
    energy, norm = small_block()
    leaves = [*energy.parameters(), *norm.parameters()]
    x = tokens()
    real = torch.rand(x.shape[:2]) > 0.3

    def gradients(filling: float) -> tuple[Tensor, ...]:
        given = x.masked_fill(~real.unsqueeze(-1), filling)
        y, _ = descend(energy, norm, given, steps=3, rule=rule, context=Context(tokens=real))
        return torch.autograd.grad(norm(y[real]).sin().sum(), leaves)

    torch.testing.assert_close(gradients(float("nan")), gradients(0.0))


def test_a_trace_does_not_change_the_walk() -> None:
    energy, norm = small_block()
    x = tokens()
    assert torch.equal(descend(energy, norm, x)[0], descend(energy, norm, x, trace="tokens")[0])


@pytest.mark.parametrize("how", ["export", "compile"])
def test_two_steps_go_through_the_compilers(how: str) -> None:
    model, x = Two(), tokens(torch.float32)
    whole = torch.export.export(model, (x,)).module() if how == "export" else torch.compile(model, fullgraph=True)
    eager = [p.grad for p in _backward(model, model(x))]
    captured = [p.grad for p in _backward(whole, whole(x))]
    torch.testing.assert_close(whole(x), model(x))
    torch.testing.assert_close(captured, eager)


def _backward(model: nn.Module, y: Tensor) -> list[nn.Parameter]:
    model.zero_grad()
    y.square().sum().backward()
    return list(model.parameters())


@pytest.mark.parametrize("rule", ["fixed", "guaranteed", "ode", "equilibrium"])
@pytest.mark.parametrize("shape", [(2, 0, 8), (0, 3, 8), (0, 0, 8)])
@pytest.mark.parametrize("steps", [0, 3])
def test_no_tokens_no_step(steps: int, shape: tuple[int, ...], rule: str) -> None:
    energy, norm = small_block()
    x, batch = torch.zeros(shape).double(), shape[0]
    assert descend(energy, norm, x, steps=steps, rule=rule)[0] is x
    y, trace = descend(energy, norm, x, steps=steps, rule=rule, trace="tokens")
    assert y is x and trace.tokens.shape == (steps + 1, *shape)
    assert trace.energies.shape == trace.forces.shape == (steps + 1, batch)
    assert trace.step_sizes.shape == trace.updates.shape == (steps, batch)
    assert trace.steps.tolist() == [0] * batch and trace.converged.shape == (batch,)


def test_numpy_s_numbers_are_numbers() -> None:
    energy, norm = small_block()
    x = tokens()
    expected = descend(energy, norm, x, steps=2, step_size=0.5)[0]
    assert torch.equal(descend(energy, norm, x, steps=np.int64(2), step_size=np.float64(0.5))[0], expected)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"rule": "newton"}, "newton.*|fixed, guaranteed, ode, equilibrium"),
        ({"rule": None}, "rule must be .* not None"),
        ({"rule": Fixed}, "rule must be"),
        ({"steps": -1}, "steps"),
        ({"steps": 1.5}, r"steps must be a whole number of 0 or more, not 1\.5"),
        ({"steps": "3"}, "steps"),
        ({"step_size": "0.1"}, "step_size must be above 0, not '0.1'"),
        ({"trace": "token"}, "trace must be True, False or \"tokens\", not 'token'"),
        ({"step_size": 0.0}, "step_size"),
        ({"step_size": float("nan")}, "step_size"),
        ({"step_size": float("inf")}, "step_size"),
        ({"x": torch.zeros(5, 8)}, r"\(B, N, D\)"),
        ({"x": torch.zeros(1, 5, 8, dtype=torch.long)}, "int64"),
    ],
)
def test_bad_input_is_named(change: dict, names: str) -> None:
    energy, norm = small_block()
    with pytest.raises(InputError, match=names):
        descend(energy, norm, **{"x": tokens(), **change})


@pytest.mark.parametrize("rule", ["fixed", "guaranteed", "ode", "equilibrium"])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("given", [torch.float64, torch.float32])
def test_float64_beside_another_type_is_named(given: torch.dtype, autocast: bool, rule: str) -> None:
    other = torch.float32 if given == torch.float64 else torch.float64
    energy, norm = small_block(dtype=other)
    for refuses in (lambda x: descend(energy, norm, x, rule=rule), *(term.force for term in energy.terms)):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast), pytest.raises(InputError) as caught:
            refuses(tokens(given))
        assert str(caught.value) == f"tokens are {given}, weights {other}; give both one, as by x.to({other})"


def test_half_precision_is_for_weights_like_it_or_autocast() -> None:
    energy, norm = small_block(dtype=torch.float32)
    x = tokens(torch.bfloat16)
    with pytest.raises(InputError, match=r"tokens are torch\.bfloat16, weights torch\.float32"):
        descend(energy, norm, x)
    with torch.autocast("cpu", torch.bfloat16):
        walked = descend(energy, norm, x, steps=2)[0]
    torch.testing.assert_close(walked.float(), descend(energy, norm, x.float(), steps=2)[0], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf"), "0.1", None])
def test_noise_that_is_none_is_named(noise: object) -> None:
    with pytest.raises(InputError, match="noise"):
        Fixed(noise)
