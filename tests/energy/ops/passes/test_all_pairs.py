"""All pairs in one pass a head: the numbers and derivatives of the plain way, whatever the tokens and who is there."""

from __future__ import annotations

import pytest
import torch
from agreeing import assert_close, assert_same_further_gradients, assert_same_gradients
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from attractor.energy import Context, EnergyAttention
from attractor.energy.ops.passes import all_pairs as module
from attractor.energy.ops.passes.all_pairs import AllPairs
from attractor.energy.ops.passes.passed import passed
from many_threads import cut_for_two_threads

SIZES = [1, 2, 5, 6, 8, 16, 17, 65]  # tiles of six and four rows and of sixteen columns, one more and one less
MASKS = ["all", "padded", "shared"]
DIM, HEADS, WIDTH = 32, 3, 16


def operands(n: int, batch: int = 3) -> list[Tensor]:
    """Tokens, weights and beta."""
    g, w = torch.randn(batch, n, DIM), torch.randn(2, HEADS, WIDTH, DIM) / DIM**0.5
    return [t.requires_grad_() for t in (g, w, torch.rand(HEADS) + 0.5)]


def mask(kind: str, n: int) -> Context | None:
    """The first sample whole, one token of the second, none of the third; or the first alone for all."""
    tokens = torch.zeros(3, n, dtype=torch.bool)
    tokens[0, : max(1, n - 2)], tokens[1, 0] = True, True
    return {"all": None, "padded": Context(tokens=tokens), "shared": Context(tokens=tokens[:1])}[kind]


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("n", SIZES)
def test_equals_the_plain_way_with_its_gradients(n: int, kind: str, include_self: bool) -> None:
    given, context = operands(n), mask(kind, n)
    if context is not None:
        given[0] = context.clear(given[0].detach().expand(3, n, DIM)).requires_grad_()
    assert_same_gradients(AllPairs(context, include_self), given)


@pytest.mark.parametrize("wanted", [0, 1])
def test_further_derivatives_are_those_of_the_plain_way(wanted: int) -> None:
    assert_same_further_gradients(AllPairs(None, True), operands(5), lambda results: results[wanted].square().mean())


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("batch", [1, 5])
def test_threads_share_samples_and_heads(batch: int, own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given = operands(7, batch)
    alone = passed(AllPairs(None, True), *given)
    gradients = torch.autograd.grad(alone[1].square().sum(), given)
    cut_for_two_threads(monkeypatch, own)
    shared = passed(AllPairs(None, True), *given)
    assert_close(shared, alone)
    assert_close(torch.autograd.grad(shared[1].square().sum(), given), gradients)


def test_what_is_not_asked_for_is_not_there() -> None:
    given = operands(7)
    lse, force = passed(AllPairs(None, True), *given)
    only_lse, no_force = passed(AllPairs(None, True, force=False), *given)
    no_lse, only_force = passed(AllPairs(None, True, energy=False), *given)
    assert no_lse.numel() == no_force.numel() == 0
    assert torch.equal(lse, only_lse) and torch.equal(force, only_force)
    assert_close(
        *(torch.autograd.grad(t.sum(), given, retain_graph=True, materialize_grads=True) for t in (lse, only_lse))
    )
    assert_close(*(torch.autograd.grad(t.sum(), given, materialize_grads=True) for t in (force, only_force)))


@pytest.mark.parametrize("scale", [1e-3, 5.0, 100.0])
def test_scores_of_any_size(scale: float) -> None:
    g, w, beta = (t.detach() for t in operands(20))
    mine = passed(AllPairs(None, True), scale * g, w, beta)
    for a, b in zip(mine, AllPairs(None, True).plain(scale * g.double(), w.double(), beta.double()), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_seen(bad: float) -> None:
    g, w, beta = (t.detach() for t in operands(20))
    g[1, 3, 2] = bad
    lse, force = passed(AllPairs(None, True), g, w, beta)
    assert not lse[1, :, 3].isfinite().any() and not force[1, 3].isfinite().any()
    assert lse[0].isfinite().all() and force[0].isfinite().all()


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("kind", MASKS)
def test_without_beta_every_other_token_counts_the_same(kind: str, include_self: bool) -> None:
    g, w, beta = operands(7)
    work, found = AllPairs(mask(kind, 7), include_self), []
    for value in (0.0, -2e-4, 2e-4):
        now = torch.full_like(beta, value).requires_grad_()
        lse, force = passed(work, g, w, now)
        found.append([lse, force, *torch.autograd.grad((lse.square().sum() + force.square().sum()), [g, w, now])])
    assert_close(found[0], [(below + above) / 2 for below, above in zip(*found[1:], strict=True)])


def test_scores_below_any_other() -> None:
    g, w = torch.full((1, 20, 16), 1e15), torch.zeros(2, 1, 16, 16)
    w[0, 0, 0, 0], w[1, 0, 0, 0] = -1e16, 1e-14  # a score of -1e32
    lse = passed(AllPairs(None, True), g, w, torch.ones(1))[0]
    torch.testing.assert_close(lse, torch.full((1, 1, 20), -1e32))


def test_no_samples() -> None:
    given = operands(5, batch=0)
    lse, force = passed(AllPairs(None, True), *given)
    assert lse.shape == (0, HEADS, 5) and force.shape == (0, 5, DIM)
    assert all(t.eq(0).all() for t in torch.autograd.grad(force.sum(), given))


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this processor for one with the vectors, and any work for large enough."""
    monkeypatch.setattr(module, "FAST", True)
    monkeypatch.setattr(module, "SMALLEST", 0)


def sized(n: int = 5, width: int = WIDTH, dim: int = DIM) -> tuple[Tensor, Tensor]:
    return torch.zeros(1, n, dim), torch.zeros(2, HEADS, width, dim)


def test_takes_what_it_can_hold(fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert AllPairs.takes(*sized(512))
    for other in (sized(513), sized(0), sized(width=24), sized(width=144), sized(dim=24)):
        assert not AllPairs.takes(*other)
    g, w = sized()
    for change in (Tensor.double, Tensor.bfloat16, lambda t: t.to("meta")):
        assert not AllPairs.takes(change(g), w) and not AllPairs.takes(g, change(w))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not AllPairs.takes(g, w)
    monkeypatch.setattr(module, "SMALLEST", g.shape[1] * w.numel() + 1)
    assert not AllPairs.takes(g, w)


def test_leaves_to_others_what_is_watched_or_transformed(fast: None) -> None:
    (g, w), asked = sized(), []
    with FlopCounterMode(display=False):
        assert not AllPairs.takes(g, w)
    with FakeTensorMode() as mode:
        assert not AllPairs.takes(mode.from_tensor(g), mode.from_tensor(w))
    torch.vmap(lambda g: asked.append(AllPairs.takes(g[None], w)) or g)(g)
    assert asked == [False]


def test_another_processor_has_other_kernels(fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAST", False)
    assert not AllPairs.takes(*sized())


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("learn_beta", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_the_energy_takes_it_and_remains_what_it_is(
    bias: bool, learn_beta: bool, include_self: bool, fast: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    attention = EnergyAttention(DIM, HEADS, WIDTH, bias=bias, learn_beta=learn_beta, include_self=include_self)
    for parameter in attention.parameters():
        torch.nn.init.uniform_(parameter, 0.1, 0.4)
    context = mask("padded", 7)
    g, parameters = torch.randn(3, 7, DIM, requires_grad=True), list(attention.parameters())
    found, used, results = [], [], AllPairs.results
    monkeypatch.setattr(AllPairs, "results", lambda *given, keep: used.append(given) or results(*given, keep=keep))
    for on in (True, False):
        monkeypatch.setattr(module, "FAST", on)
        energy, force = attention.evaluate(g, context)
        parts = attention.per_head(g, context), attention.per_token(g, context), attention.force(g, context)
        loss = energy.sum() + force.square().sum() + sum(part.square().sum() for part in parts)
        found.append([energy, force, *parts, *torch.autograd.grad(loss, [g, *parameters])])
    assert len(used) == 4
    assert_close(*found)
