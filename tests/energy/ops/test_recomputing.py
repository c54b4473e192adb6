"""Forces a few rows at a time: the same numbers and derivatives as at once, and little held between the passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from attractor.dynamics import descend
from attractor.energy import Context, Energy, EnergyAttention, EnergyLayerNorm, HopfieldMemory
from attractor.energy.ops import recomputed as function
from attractor.energy.ops.recomputing import plainly

BATCH, N, DIM = 5, 7, 6
MAKERS: dict[str, Callable[[], Energy]] = {
    "attention": lambda: EnergyAttention(DIM, 2, 3, learn_beta=True),
    "attention-bias": lambda: EnergyAttention(DIM, 2, 3, bias=True, include_self=True),
    "relu": lambda: HopfieldMemory(DIM, 9),
    "gelu-bias": lambda: HopfieldMemory(DIM, 9, activation="gelu", bias=True),
    "softmax": lambda: HopfieldMemory(DIM, 9, activation="softmax"),
}


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take two samples at a time, of however few tokens."""
    monkeypatch.setattr("attractor.energy.ops.recomputing.SMALL", 0)
    monkeypatch.setattr("attractor.energy.ops.recomputing.TOKENS", 2 * N)


def energy(name: str, dtype: torch.dtype = torch.float64) -> Energy:
    made = MAKERS[name]().to(dtype)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def force_and_gradients(e: Energy, g: Tensor, context: Context | None = None) -> list[Tensor]:
    leaf = g.clone().requires_grad_()
    force = e.force(leaf, context)
    upstream = torch.linspace(-1, 1, g.numel(), dtype=g.dtype).view_as(g)
    return [force.detach(), *torch.autograd.grad(force, [leaf, *e.parameters()], upstream)]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("masked", [False, True])
def test_equals_the_force_at_once(name: str, masked: bool, request: pytest.FixtureRequest) -> None:
    e, g = energy(name), torch.randn(BATCH, N, DIM, dtype=torch.float64)
    context = Context(tokens=torch.rand(BATCH, N) > 0.4) if masked else None
    expected = force_and_gradients(e, g, context)
    request.getfixturevalue("in_pieces")
    torch.testing.assert_close(force_and_gradients(e, g, context), expected, rtol=1e-11, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(e.force(g, context), expected[0], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", MAKERS)
def test_is_the_negative_gradient_of_the_energy(name: str, in_pieces: None) -> None:
    e, g = energy(name), torch.randn(BATCH, N, DIM, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(e(g).sum(), g)
    torch.testing.assert_close(e.force(g), -gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["attention", "relu", "softmax"])
def test_a_further_derivative_can_be_had(name: str, request: pytest.FixtureRequest) -> None:
    e, g = energy(name), torch.randn(BATCH, N, DIM, dtype=torch.float64, requires_grad=True)

    def second() -> tuple[Tensor, ...]:
        (gradient,) = torch.autograd.grad(e.force(g).square().sum(), g, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), [g, *e.parameters()])

    expected = second()
    request.getfixturevalue("in_pieces")
    torch.testing.assert_close(second(), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", MAKERS)
def test_a_gradient_that_is_to_be_derived_is_the_same_gradient(name: str, in_pieces: None) -> None:
    """Also of weights that tokens came from, and that stand on both sides of a force."""
    e, norm, x = energy(name), EnergyLayerNorm(DIM).double(), torch.randn(BATCH, N, DIM, dtype=torch.float64)

    def gradients(create_graph: bool) -> tuple[Tensor, ...]:
        y, _ = descend(e, norm, x, steps=3)
        return torch.autograd.grad(y.square().sum(), list(e.parameters()), create_graph=create_graph)

    torch.testing.assert_close(gradients(True), gradients(False), rtol=1e-10, atol=1e-11)


def test_only_what_is_asked_for_is_made(in_pieces: None) -> None:
    e, g = energy("attention"), torch.randn(BATCH, N, DIM, dtype=torch.float64)
    e.W.requires_grad_(False)
    e.force(g).sum().backward()  # through beta alone
    assert e.W.grad is None and e.beta.grad is not None
    e.requires_grad_(False)
    assert not e.force(g).requires_grad


def test_autocast_works_in_bfloat16_and_sums_in_single(in_pieces: None) -> None:
    e, g = energy("attention", torch.float32), torch.randn(BATCH, N, DIM)
    expected = force_and_gradients(e, g)
    with torch.autocast("cpu", torch.bfloat16):
        found = force_and_gradients(e, g)
    for mine, exact in zip(found, expected, strict=True):
        assert mine.dtype == torch.float32
        assert 1e-5 < (mine - exact).norm() / exact.norm() < 0.05


def test_a_descent_holds_a_few_tokens_a_step(in_pieces: None) -> None:
    """Saved for the backward pass: per step the state, its norm, and nothing as wide as heads or memories."""
    e = EnergyAttention(DIM, 8, 16) + HopfieldMemory(DIM, 200)
    norm, x, sizes = EnergyLayerNorm(DIM), torch.randn(BATCH, N, DIM, requires_grad=True), []
    parameters = {p.data_ptr() for p in [*e.parameters(), *norm.parameters()]}

    def keep(t: Tensor) -> Tensor:
        sizes.append(0 if t.data_ptr() in parameters else t.numel())
        return t

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        descend(e, norm, x, steps=4)
    weights = sum(p.numel() for p in e.parameters())
    assert sum(sizes) < 4 * (8 * x.numel() + 2 * weights)
    assert max(sizes) <= max(x.numel(), weights)


def test_parts_of_any_number(in_pieces: None) -> None:
    g, out = torch.randn(4, 3, DIM), [torch.randn(2, DIM), torch.randn(5, DIM)]
    maps = [torch.randn(2, DIM), torch.randn(5, DIM)]

    def inner(at: slice, g: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        return tuple((g @ m.T).tanh() for m in maps)

    torch.testing.assert_close(function(inner, g, out, maps), plainly(inner, g, out, maps))


def test_no_samples_no_force(in_pieces: None) -> None:
    for name in ("attention", "relu"):
        assert energy(name).force(torch.randn(0, N, DIM, dtype=torch.float64)).shape == (0, N, DIM)


def test_under_function_transforms(in_pieces: None) -> None:
    e, g = energy("relu"), torch.randn(3, BATCH, N, DIM, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(e.force)(g), torch.stack([e.force(part) for part in g]))


def test_parameters_in_half_precision_are_summed_in_single(in_pieces: None) -> None:
    e, g = energy("relu", torch.bfloat16), torch.randn(200, N, DIM, dtype=torch.bfloat16)
    e.force(g).sum().backward()
    exact = energy("relu", torch.float32)
    exact.load_state_dict(e.state_dict())
    exact.force(g.float()).sum().backward()
    assert e.xi.grad.dtype == torch.bfloat16
    assert (e.xi.grad - exact.xi.grad).norm() < 2**-7 * exact.xi.grad.norm()
