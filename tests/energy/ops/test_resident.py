"""Alignment in one pass a head: the numbers and derivatives of the reference, whatever the tokens and their layout."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from attractor.energy import Context
from attractor.energy.ops import lanes
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


def test_absent_keys_may_be_anything() -> None:
    q, k = (t.detach() for t in operands(20))
    tokens = torch.ones(3, 20, dtype=torch.bool)
    tokens[:, 7] = False
    k[:, :, 7] = float("nan")
    lse = resident(q, k, tokens)[0]
    assert lse.isfinite().all()
    close(lse, reference(q, k.nan_to_num(), Context(tokens=tokens)).lse)


def test_scores_below_any_other() -> None:
    q, k = torch.full((1, 2, 20, 16), -1e16), torch.full((1, 2, 20, 16), 1e15)
    torch.testing.assert_close(resident(q, k)[0], torch.full((1, 2, 20), -1.6e32))


def test_no_samples() -> None:
    lse, mix, pull = resident(*(torch.zeros(0, 2, 5, 16) for _ in "qk"))
    assert lse.shape == (0, 2, 5) and mix.shape == pull.shape == (0, 2, 5, 16)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this processor for one with the vectors."""
    monkeypatch.setattr(module, "FAST", True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def test_takes_what_it_can_hold(fast: None) -> None:
    q = torch.zeros(1, 2, 512, 16)
    assert takes(q, q)
    for other in [
        torch.zeros(1, 2, 513, 16),
        torch.zeros(1, 2, 0, 16),
        torch.zeros(1, 2, 5, 24),
        torch.zeros(1, 2, 5, 144),
        torch.zeros(1, 1, 512, 16),  # fewer heads than threads
        q.double(),
        q.to("meta"),
    ]:
        assert not takes(other, other)
    for other in (q.double(), q[:, :, :5], q[:, :1], q.to("meta")):
        assert not takes(q, other) and not takes(other, q)


def test_leaves_to_others_what_is_watched_or_transformed(fast: None) -> None:
    q, asked = torch.zeros(3, 2, 5, 16), []
    with FlopCounterMode(display=False):
        assert not takes(q, q)
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(q)
    assert not takes(fake, fake)
    torch.vmap(lambda k: asked.append(takes(q[:1], k[None])) or k)(q)
    assert asked == [False]


def test_another_processor_has_other_kernels(fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAST", False)
    assert not takes(*(torch.zeros(1, 2, 5, 16) for _ in "qk"))


def test_what_is_compiled_is_compiled_anew_when_lanes_change() -> None:
    source = Path(lanes.__file__).read_bytes()
    assert hashlib.sha256(source).hexdigest()[:16] == module.LANES_DIGEST, "put the digest of lanes.py into resident.py"


def test_is_chosen_for_tokens_that_fit(fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr("attractor.energy.ops.alignment.resident", lambda *given: taken.append(given) or [None] * 3)
    align(*(torch.zeros(1, 16, 65, 16) for _ in "qk"))
    assert len(taken) == 1
    monkeypatch.setattr(module, "SCORES", 0)
    align(*(torch.zeros(1, 16, 65, 16) for _ in "qk"))
    assert len(taken) == 1
