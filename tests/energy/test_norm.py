"""Energy layer norm: the Lagrangian, its energy, and a Jacobian that turns forces into descents."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from attractor.energy import EnergyLayerNorm
from attractor.errors import InputError

DIM = 6
EXACT = {"rtol": 1e-11, "atol": 1e-11}


def norm_of(gamma: float = 1.3) -> EnergyLayerNorm:
    norm = EnergyLayerNorm(DIM).double()
    with torch.no_grad():
        norm.gamma.fill_(gamma)
        norm.delta.normal_()
    return norm


def tokens() -> Tensor:
    return torch.randn(2, 3, DIM, dtype=torch.float64)


@pytest.mark.parametrize("gamma", [1.3, -0.7])
def test_forward_is_the_gradient_of_the_lagrangian(gamma: float) -> None:
    norm, x = norm_of(gamma), tokens().requires_grad_()
    lagrangian = norm.lagrangian(x)
    assert lagrangian.shape == (2, 3)
    torch.testing.assert_close(norm(x), torch.autograd.grad(lagrangian.sum(), x)[0], **EXACT)


def test_energy_is_the_legendre_transform() -> None:
    norm, x = norm_of(), tokens()
    torch.testing.assert_close(norm.energy(x), (norm(x) * x).sum(-1) - norm.lagrangian(x), **EXACT)


def test_gradients_twice() -> None:
    norm = norm_of()
    inputs = [tokens().requires_grad_(), *norm.parameters()]
    for function in (norm, norm.lagrangian, norm.energy):
        assert gradcheck(lambda x, *_, f=function: f(x), inputs)
        assert gradgradcheck(lambda x, *_, f=function: f(x), inputs)


def test_jacobian_is_that_of_autograd() -> None:
    norm, x, v = norm_of(), tokens(), tokens()
    jacobian = torch.autograd.functional.jacobian(norm, x)
    torch.testing.assert_close(norm.jacobian(x, v), torch.einsum("abcijk,ijk->abc", jacobian, v), **EXACT)


@given(seed=st.integers(0, 2**31), scale=st.sampled_from([1e-6, 1e-3, 1.0, 1e3]), gamma=st.floats(-4, 4))
def test_the_jacobian_is_symmetric_and_has_the_sign_of_gamma(seed: int, scale: float, gamma: float) -> None:
    norm = norm_of(gamma)
    x = scale * torch.randn(DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    j = norm.jacobian(x.expand(DIM, DIM), torch.eye(DIM).double()).detach()
    rounding = 1e-12 * float(j.abs().max())
    assert (j - j.T).abs().max() <= rounding
    assert (torch.linalg.eigvalsh(j if gamma >= 0 else -j) >= -10 * rounding).all()


def test_constant_tokens_have_the_bias_for_their_norm() -> None:
    norm, x = norm_of(), torch.full((2, DIM), 7.0, dtype=torch.float64).requires_grad_()
    torch.testing.assert_close(norm(x), norm.delta.expand(2, DIM), **EXACT)
    assert torch.autograd.grad(norm(x).square().sum(), x)[0].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_large_tokens_in_low_precision(dtype: torch.dtype) -> None:
    exact = norm_of()
    norm, x = copy.deepcopy(exact).to(dtype), (1e3 * tokens()).to(dtype)
    exact.load_state_dict(norm.state_dict())
    wide, v = x.double(), tokens().to(dtype)
    for found, expected in [
        (norm(x), exact(wide)),
        (norm.lagrangian(x), exact.lagrangian(wide)),
        (norm.energy(x), exact.energy(wide)),
        (norm.jacobian(x, v), exact.jacobian(wide, v.double())),
    ]:
        close = 4 * torch.finfo(dtype).eps
        torch.testing.assert_close(found.double(), expected, rtol=close, atol=close * expected.abs().max().item())
    assert norm(x).dtype == norm.jacobian(x, v).dtype == dtype
    assert norm.energy(x).dtype == norm.lagrangian(x).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_tokens_narrower_than_the_parameters(dtype: torch.dtype) -> None:
    """As under autocast, where an encoder hands over bfloat16."""
    norm, x = norm_of().float(), tokens().to(dtype).requires_grad_()
    g = norm(x)
    torch.testing.assert_close(g.float(), norm(x.float()), rtol=1e-2, atol=1e-2)
    g.float().square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert norm.gamma.grad is not None and norm.gamma.grad.dtype == torch.float32


def test_refuses_another_width_and_sizes_that_are_none() -> None:
    norm = EnergyLayerNorm(DIM)
    for function in (norm, norm.lagrangian, norm.energy):
        with pytest.raises(InputError, match=r"^x must be tokens \(\.\.\., 6\), not of shape \(3, 5\)$"):
            function(torch.zeros(3, 5))
    for settings in ({"dim": 0}, {"dim": 3, "eps": 0.0}):
        with pytest.raises(InputError, match="must be above 0"):
            EnergyLayerNorm(**settings)
    with pytest.raises(InputError, match="dim must be a whole number"):
        EnergyLayerNorm(2.5)  # type: ignore[arg-type]
    assert repr(norm) == "EnergyLayerNorm(6, eps=1e-05)"
