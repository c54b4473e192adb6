"""The attention kernels: what they compute, that they agree, and which one runs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attractor.energy.ops import attention, merge_heads, softmax_attention, split_heads
from parity import IMPLEMENTATIONS


def operands(queries: int = 5, keys: int = 7, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return [torch.randn(2, 3, n, 4, dtype=dtype, requires_grad=True) for n in (queries, keys, keys)]


def softmax_by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = torch.einsum("bhnd,bhmd->bhnm", q, k).exp()
    return torch.einsum("bhnm,bhmd->bhnd", weights, v) / weights.sum(-1, keepdim=True)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_is_softmax_attention_without_a_scale(name: str) -> None:
    q, k, v = operands()
    torch.testing.assert_close(IMPLEMENTATIONS[name](q, k, v), softmax_by_hand(q, k, v), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_survives_scores_that_overflow_the_exponential(name: str) -> None:
    q, k, v = (100 * x.detach() for x in operands(dtype=torch.float32))
    best = (q @ k.transpose(-2, -1)).argmax(-1, keepdim=True).expand(-1, -1, -1, 4)
    torch.testing.assert_close(IMPLEMENTATIONS[name](q, k, v), v.gather(2, best), rtol=1e-3, atol=1e-1)


def test_implementations_agree_with_their_first_gradients() -> None:
    found = []
    tensors = operands()
    for compute in IMPLEMENTATIONS.values():
        y = compute(*tensors)
        found.append([y, *torch.autograd.grad(y.sin().sum(), tensors)])
    for explicit, fused in zip(*found, strict=True):
        torch.testing.assert_close(explicit, fused, rtol=1e-11, atol=1e-12)


def test_explicit_passes_gradcheck_twice() -> None:
    tensors = operands(2, 3)
    assert torch.autograd.gradcheck(attention.explicit, tensors)
    assert torch.autograd.gradgradcheck(attention.explicit, tensors)


@pytest.mark.parametrize(
    ("grad", "limit", "expected"), [(True, 35, "explicit"), (True, 34, "fused"), (False, 35, "fused")]
)
def test_choice_of_implementation(monkeypatch: pytest.MonkeyPatch, grad: bool, limit: int, expected: str) -> None:
    called = []
    for name, compute in IMPLEMENTATIONS.items():
        monkeypatch.setattr(attention, name, lambda *a, n=name, f=compute: (called.append(n), f(*a))[1])
    monkeypatch.setattr(attention, "EXPLICIT_LIMIT", limit)  # 35 = 5 queries x 7 keys
    with torch.set_grad_enabled(grad):
        softmax_attention(*operands())
    assert called == [expected]


def test_heads_are_contiguous_slices_of_the_token_and_merge_back() -> None:
    x = torch.randn(2, 5, 12)
    heads = split_heads(x, 3)
    assert torch.equal(heads[1, 2, 4], x[1, 4, 8:12])
    assert torch.equal(merge_heads(heads), x)
