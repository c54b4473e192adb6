"""Strips: the same numbers and derivatives as the reference, in memory that grows with N and not with N^2."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.profiler import ProfilerActivity, profile

from attractor.energy import Context
from attractor.energy.ops import strips as module
from attractor.energy.ops.alignment import Surroundings, reference
from attractor.energy.ops.strips import strips

N = 5
PADDED = torch.tensor(
    [[1, 1, 1, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
).bool()  # the second is lonely, the third void
MASKS = {"all": None, "padded": PADDED, "shared": PADDED[:1]}
# One strip of two rows and a rest of one; one whole matrix; four matrices and a rest of two; all six at once.
TILES = {"strips": 10, "matrix": N * N, "matrices": 4 * N * N, "whole": 1000}


@pytest.fixture(params=TILES)
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the six 5 x 5 score matrices of the tests in every way there is."""
    monkeypatch.setattr(module, "CACHE", TILES[request.param])
    monkeypatch.setattr(module, "NARROWEST", dict.fromkeys((2, 4, 8), 1))


def operands(n: int = N, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    q, k = (torch.randn(3, n, 2, 3, dtype=dtype).transpose(1, 2).requires_grad_() for _ in "qk")
    return q, k


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("mask", MASKS)
def test_equals_the_reference_with_its_gradients(tiles: None, mask: str, include_self: bool) -> None:
    q, k = operands()
    mine, plain = (
        strips(q, k, MASKS[mask], include_self),
        reference(q, k, Surroundings(Context(tokens=MASKS[mask]), include_self)),
    )
    torch.testing.assert_close(mine, tuple(plain), rtol=1e-12, atol=1e-12)
    upstream = [torch.randn_like(t) for t in mine]
    for results in (slice(0, 3), slice(0, 1), slice(1, 2), slice(2, 3)):  # what is not used sends nothing back
        found, expected = (
            torch.autograd.grad(a[results], (q, k), upstream[results], retain_graph=True) for a in (mine, plain)
        )
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("mask", MASKS)
def test_gradcheck_and_of_the_energy_twice(tiles: None, mask: str, include_self: bool) -> None:
    weights = torch.randn(3, 2, N, dtype=torch.float64)

    def energy(q: Tensor, k: Tensor) -> Tensor:
        return (weights * strips(q, k, MASKS[mask], include_self)[0]).sum()

    assert gradcheck(lambda q, k: strips(q, k, MASKS[mask], include_self), operands(), fast_mode=True)
    assert gradgradcheck(energy, operands(), fast_mode=True)


@pytest.mark.parametrize("result", [1, 2])
def test_a_derivative_too_many_is_refused(result: int) -> None:
    q, k = operands()
    gradient = torch.autograd.grad(strips(q, k)[result].square().sum(), (q, k), create_graph=True)
    with pytest.raises(RuntimeError, match="two derivatives"):
        torch.autograd.grad(gradient[0].sum() + gradient[1].sum(), (q, k))


def test_a_token_alone_sees_nobody_but_itself() -> None:
    q, k = operands(n=1)
    assert all(torch.equal(t, torch.zeros_like(t)) for t in strips(q, k, include_self=False))
    lse, mix, pull = strips(q, k)
    torch.testing.assert_close((lse, mix, pull), ((q * k).sum(-1), k, q))


def test_survives_scores_that_overflow_the_exponential() -> None:
    q, k = (100 * t.detach() for t in operands(dtype=torch.float32))
    exact = reference(q.double(), k.double(), Surroundings(Context(tokens=PADDED), False))
    for mine, expected in zip(strips(q, k, PADDED, False), exact, strict=True):
        torch.testing.assert_close(mine.double(), expected, rtol=1e-4, atol=1e-2)


def test_bfloat16_loses_no_more_than_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE", 2**12)  # 256 strips: summed in bfloat16, twice the reference's error
    q, k = torch.randn(2, 1, 1, 1024, 8).bfloat16()
    upstream = torch.randn(1, 1, 1024), torch.randn_like(q), torch.randn_like(q)

    def results(compute: Callable[..., Sequence[Tensor]], dtype: torch.dtype) -> list[Tensor]:
        operands = [t.to(dtype).requires_grad_() for t in (q, k)]
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            aligned = compute(*operands)
        gradients = torch.autograd.grad(
            aligned, operands, [u.to(t.dtype) for u, t in zip(upstream, aligned, strict=True)]
        )
        return [*aligned, *gradients]

    exact = results(reference, torch.float64)
    for mine, plain, e in zip(results(strips, q.dtype), results(reference, q.dtype), exact, strict=True):
        assert mine.dtype == plain.dtype
        assert (mine - e).norm() < 1.5 * (plain - e).norm()


def largest_allocation(n: int) -> float:
    q, k = (torch.randn(1, 1, n, 4, requires_grad=True) for _ in "qk")
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        torch.autograd.grad([t.sum() for t in strips(q, k)], (q, k))
    return max(event.self_cpu_memory_usage for event in record.events())


def test_no_allocation_is_n_by_n(monkeypatch: pytest.MonkeyPatch) -> None:
    n, tile = 512, 2**13
    assert largest_allocation(n) >= 4 * n * n  # the measure sees the one tile that all of it fits
    monkeypatch.setattr(module, "CACHE", tile)
    assert largest_allocation(n) <= 4 * tile


def test_what_is_saved_for_the_backward_pass_grows_with_n() -> None:
    def saved(n: int) -> int:
        sizes = {}
        q, k = (torch.randn(1, 1, n, 4, requires_grad=True) for _ in "qk")
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.setdefault(t.data_ptr(), t.numel()), lambda t: t):
            kept = strips(q, k, torch.ones(1, n, dtype=torch.bool), include_self=False)
        assert kept[0].requires_grad
        return sum(sizes.values())

    assert 0 < saved(128) <= 2 * saved(64)


@pytest.mark.parametrize("absent", [None, ~PADDED.repeat_interleave(2, 0)])
def test_the_operator_keeps_what_torch_asks_of_one(absent: Tensor | None) -> None:
    q, k = (t.detach().flatten(0, 1).requires_grad_() for t in operands())
    torch.library.opcheck(torch.ops.attractor.align, (q, k, q.detach().clone(), absent, False))
