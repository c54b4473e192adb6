"""Linear maps by oneDNN: torch's numbers and derivatives, and torch's own call wherever it is not for oneDNN."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import jacrev

from attractor.energy.ops import Linear, linear
from attractor.energy.ops.linear_maps import _by_onednn

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="a torch without oneDNN")


@pytest.fixture
def pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take oneDNN for the faster one, whatever this processor is."""
    monkeypatch.setattr("attractor.energy.ops.linear_maps.PAYS", torch.backends.mkldnn.is_available())


@pytest.fixture
def any_size(pays: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send even the smallest product to oneDNN."""
    monkeypatch.setattr("attractor.energy.ops.linear_maps.SMALL", 0)


def operands(bias: bool, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor | None]:
    x, w = torch.randn(2, 3, 5, dtype=dtype), torch.randn(4, 5, dtype=dtype)
    return x.requires_grad_(), w.requires_grad_(), torch.randn(4, dtype=dtype).requires_grad_() if bias else None


@needs_onednn
@pytest.mark.parametrize("bias", [False, True])
def test_equals_torch_to_the_second_derivative(bias: bool, any_size: None) -> None:
    inputs = operands(bias)
    assert _by_onednn(*inputs[:2])
    leaves = [t for t in inputs if t is not None]
    found = []
    for call in (linear, F.linear):
        y = call(*inputs)
        first = torch.autograd.grad(y.tanh().sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum(t.square().sum() for t in first), leaves)
        found.append([y, *first, *second])
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


@needs_onednn
def test_large_products_go_there_and_small_ones_do_not(pays: None) -> None:
    assert _by_onednn(torch.randn(600, 64), torch.randn(64, 64))
    assert not _by_onednn(torch.randn(6, 64), torch.randn(64, 64))


def test_none_go_there_where_it_does_not_pay(any_size: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.energy.ops.linear_maps.PAYS", False)
    assert not _by_onednn(torch.randn(600, 64), torch.randn(64, 64))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_are_torch_s(dtype: torch.dtype, any_size: None) -> None:
    x, w, _ = operands(False, dtype)
    assert not _by_onednn(x, w)
    assert torch.equal(linear(x, w), F.linear(x, w))


def test_autocast_decides(any_size: None) -> None:
    x, w, _ = operands(False)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(x, w).dtype == torch.bfloat16


def test_under_function_transforms(any_size: None) -> None:
    x, w, b = (t.detach() for t in operands(True))
    jacobian = jacrev(lambda x: linear(x, w, b))(x[0])
    torch.testing.assert_close(jacobian, torch.einsum("ij,oc->iojc", torch.eye(3), w))


def test_views_in_any_layout(any_size: None) -> None:
    x, w = torch.randn(5, 6, 2).permute(2, 1, 0), torch.randn(5, 4).T
    torch.testing.assert_close(linear(x, w), F.linear(x, w))


def test_a_layer_has_torch_s_names_and_numbers() -> None:
    mine, plain = Linear(64, 64), nn.Linear(64, 64)
    mine.load_state_dict(plain.state_dict())
    x = torch.randn(100, 64)
    torch.testing.assert_close(mine(x), plain(x), rtol=1e-5, atol=1e-5)


def test_expanded_operands(any_size: None) -> None:
    x, w = torch.randn(1, 5).expand(6, 5), torch.randn(1, 5).expand(4, 5)
    torch.testing.assert_close(linear(x, w), F.linear(x, w))


def test_a_trace_has_torch_s_own_operations(any_size: None) -> None:
    traced = torch.jit.trace(Linear(5, 4), torch.randn(6, 5))
    assert "mkldnn" not in str(traced.graph)
