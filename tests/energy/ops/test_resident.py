"""Alignment in one pass a head: the numbers and derivatives of the reference, whatever the tokens and their layout."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attractor.energy import Context
from attractor.energy.ops import resident as module
from attractor.energy.ops.alignment import align, reference
from attractor.energy.ops.resident import resident, takes
from many_threads import cut_for_two_threads

SIZES = [1, 2, 5, 6, 16, 17, 65]  # a block of rows and a block of columns, one more and one less
MASKS = ["all", "padded", "shared"]


def operands(n: int, width: int = 16) -> tuple[Tensor, Tensor]:
    """Queries and keys as linear maps leave them: heads side by side in every token."""
    q, k = (torch.randn(3, n, 2, width).transpose(1, 2).requires_grad_() for _ in "qk")
    return q, k


def mask(kind: str, n: int) -> Tensor | None:
    """The first sample whole, one token of the second, none of the third; or the first alone for all."""
    tokens = torch.zeros(3, n, dtype=torch.bool)
    tokens[0, : max(1, n - 2)], tokens[1, 0] = True, True
    return {"all": None, "padded": tokens, "shared": tokens[:1]}[kind]


def close(found: object, expected: object) -> None:
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("n", SIZES)
def test_equals_the_reference_with_its_gradients(n: int, kind: str, include_self: bool) -> None:
    (q, k), tokens = operands(n), mask(kind, n)
    mine, plain = resident(q, k, tokens, include_self), reference(q, k, Context(tokens=tokens), include_self)
    close(mine, tuple(plain))
    upstream = [torch.randn_like(t) for t in mine]
    for results in (slice(0, 3), slice(0, 1), slice(1, 2), slice(2, 3)):  # what is not used sends nothing back
        found, expected = (
            torch.autograd.grad(a[results], (q, k), upstream[results], retain_graph=True) for a in (mine, plain)
        )
        close(found, expected)


@pytest.mark.parametrize("kind", MASKS)
def test_the_energy_has_two_derivatives_and_no_more(kind: str) -> None:
    (q, k), tokens, found = operands(5), mask(kind, 5), []
    for lse in (resident(q, k, tokens)[0], reference(q, k, Context(tokens=tokens)).lse):
        first = torch.autograd.grad(lse.square().mean(), (q, k), create_graph=True)
        found.append(torch.autograd.grad(sum(t.square().sum() for t in first), (q, k), create_graph=True))
    close(*found)
    with pytest.raises(RuntimeError, match="two derivatives of its energy"):
        torch.autograd.grad(found[0][0].square().sum(), q)


@pytest.mark.parametrize("own", [True, False])
def test_threads_share_the_heads(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k = operands(7)
    alone = resident(q, k)
    cut_for_two_threads(monkeypatch, own)
    assert all(torch.equal(a, b) for a, b in zip(alone, resident(q, k), strict=True))


@pytest.mark.parametrize("layout", [(0, 1, 2, 3), (0, 2, 1, 3), (3, 2, 1, 0)])
def test_any_layout(layout: tuple[int, ...]) -> None:
    shape = [(3, 2, 5, 16)[axis] for axis in layout]
    q, k = (torch.randn(shape).permute(*(layout.index(axis) for axis in range(4))) for _ in "qk")
    assert q.shape == (3, 2, 5, 16)
    close(resident(q, k), tuple(reference(q, k)))


def test_results_lie_as_the_queries_do() -> None:
    q, k = operands(5)
    for result in resident(q, k)[1:]:
        assert result.transpose(1, 2).is_contiguous()  # heads side by side again: no copy for the next linear map


@pytest.mark.parametrize("scale", [1e-3, 30.0, 1e4])
def test_scores_of_any_size(scale: float) -> None:
    q, k = (t.detach() for t in operands(20))
    mine, plain = resident(scale * q, k), reference(scale * q.double(), k.double())
    for a, b in zip(mine, plain, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_seen(bad: float) -> None:
    q, k = (t.detach() for t in operands(20))
    q[1, 1, 3, 2] = bad
    lse, mix, _ = resident(q, k)
    assert not lse[1, 1, 3].isfinite() and not mix[1, 1, 3].isfinite().any()
    assert lse[0].isfinite().all() and mix[0].isfinite().all()


def test_no_samples() -> None:
    lse, mix, pull = resident(*(torch.zeros(0, 2, 5, 16) for _ in "qk"))
    assert lse.shape == (0, 2, 5) and mix.shape == pull.shape == (0, 2, 5, 16)


def test_takes_what_it_can_hold() -> None:
    assert takes(torch.zeros(1, 1, 512, 16))
    assert not takes(torch.zeros(1, 1, 513, 16))
    assert not takes(torch.zeros(1, 1, 5, 24))
    assert not takes(torch.zeros(1, 1, 5, 16, dtype=torch.float64))
    assert not takes(torch.zeros(1, 1, 5, 16, device="meta"))


def test_is_chosen_for_tokens_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr("attractor.energy.ops.alignment.resident", lambda *given: taken.append(given) or [None] * 3)
    align(*(torch.zeros(1, 16, 65, 16) for _ in "qk"))
    assert len(taken) == 1
    monkeypatch.setattr(module, "SCORES", 0)
    align(*(torch.zeros(1, 16, 65, 16) for _ in "qk"))
    assert len(taken) == 1
