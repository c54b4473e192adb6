"""What the contract promises, of every energy there is: calculus, symmetry, masks."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from registry import BATCH, DIM, ENERGIES, N, build, classes, contexts, tokens
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from attractor.energy import Context, Edges, Energy, EnergySum
from attractor.errors import InputError

EXACT = {"rtol": 1e-12, "atol": 1e-12}
CONTEXTS = tuple(contexts())
MASKS = tuple(name for name, context in contexts().items() if context is None or not context.edges)
ANYTHING = [0.0, -1.0, 1e30, math.inf, math.nan]  # what may stand in the place of a token that is not there


@pytest.fixture(params=ENERGIES)
def energy(request: pytest.FixtureRequest) -> Energy:
    return build(request.param)


@pytest.fixture(params=CONTEXTS)
def context(request: pytest.FixtureRequest) -> Context | None:
    return contexts()[request.param]


def leaves(energy: Energy, context: Context | None) -> list[Tensor]:
    """All that a derivative may be asked of: g, the score weights where there are any, every parameter."""
    weights = [] if context is None or context.weights is None else [context.weights.requires_grad_()]
    return [tokens().requires_grad_(), *weights, *energy.parameters()]


def on_tokens(context: Context | None, tokens: Tensor, pairs: Tensor) -> Context | None:
    """The context of tokens in another order, or of some of them."""
    if context is None:
        return None
    if context.edges:
        weights = [context.relation_weights(number) for number in range(len(context.edges))]
        moved = [renamed(edges, tokens, w) for edges, w in zip(context.edges, weights, strict=True)]
        edges, weights = zip(*moved, strict=True)
        return Context(edges=edges, weights=None if context.weights is None else torch.cat(weights))
    mask = None if context.tokens is None else context.tokens[:, tokens]
    square = [None if t is None else t[..., pairs, :][..., pairs] for t in (context.pairs, context.weights)]
    return Context(mask, *square)


def renamed(edges: Edges, order: Tensor, weights: Tensor | None) -> tuple[Edges, Tensor | None]:
    """The edges of the tokens in another order, and their weights."""
    target, source = edges.targets(), edges.indices.long()
    index = order.argsort()[torch.stack([source, target])]
    moved = Edges.build(index, edges.nodes, directed=True, self_loops=bool((source == target).any()))
    by_row = (index[1] * edges.nodes + index[0]).argsort()
    return moved, None if weights is None else weights[by_row]


def test_every_energy_is_in_the_registry() -> None:
    registered = {type(part) for create in ENERGIES.values() for part in create().modules()}
    assert classes() <= registered, "add the new energy to registry.py"


def test_force_is_minus_the_gradient(energy: Energy, context: Context | None) -> None:
    g = tokens().requires_grad_()
    (gradient,) = torch.autograd.grad(energy.energy(g, context).sum(), g)
    torch.testing.assert_close(energy.force(g, context), -gradient, **EXACT)


def test_evaluate_is_energy_and_force_and_the_parts_add_up(energy: Energy, context: Context | None) -> None:
    g = tokens()
    e, f = energy.evaluate(g, context)
    assert e.shape == (BATCH,) and f.shape == g.shape
    for other in (energy.energy(g, context), energy(g, context), sum(energy.parts(g, context).values())):
        torch.testing.assert_close(e, other, **EXACT)
    torch.testing.assert_close(f, energy.force(g, context), **EXACT)


@pytest.mark.parametrize("method", ["energy", "force"])
def test_gradients(energy: Energy, context: Context | None, method: str) -> None:
    assert gradcheck(lambda g, *_: getattr(energy, method)(g, context), leaves(energy, context), fast_mode=True)


@pytest.mark.parametrize("method", ["energy", "force"])
def test_every_entry_of_the_gradients(energy: Energy, method: str) -> None:
    context = contexts()["all"]
    assert gradcheck(lambda g, *_: getattr(energy, method)(g, context), leaves(energy, context))


def test_second_gradients(energy: Energy, context: Context | None) -> None:
    assert gradgradcheck(lambda g, *_: energy.energy(g, context), leaves(energy, context), fast_mode=True)


def test_permuted_tokens_permute_the_force(energy: Energy, context: Context | None) -> None:
    g, order = tokens(), torch.tensor([2, 0, 3, 1])
    e, f = energy.evaluate(g, context)
    moved = energy.evaluate(g[:, order], on_tokens(context, order, order))
    torch.testing.assert_close(moved, (e, f[:, order]), **EXACT)


def test_a_sample_does_not_feel_its_batch(energy: Energy, context: Context | None) -> None:
    g = tokens()
    e, f = energy.evaluate(g, context)
    for rows in (torch.tensor([1]), torch.tensor([2, 0])):
        alone = energy.evaluate(g[rows], context and context.rows(rows))
        torch.testing.assert_close(alone, (e[rows], f[rows]), **EXACT)


@pytest.mark.parametrize("value", ANYTHING)
@pytest.mark.parametrize("around", ["tokens", "all"])
def test_a_masked_token_changes_nothing(energy: Energy, around: str, value: float) -> None:
    context, g = contexts()[around], tokens()
    assert context is not None and context.tokens is not None
    absent = ~context.tokens
    expected = (*energy.evaluate(g, context), *gradients(energy, g, context))
    other = g.masked_fill(absent[..., None], value)
    found = (*energy.evaluate(other, context), *gradients(energy, other, context))
    torch.testing.assert_close(found, expected, **EXACT)
    assert not found[1][absent].any() and not found[2][absent].any()


def gradients(energy: Energy, g: Tensor, context: Context | None) -> tuple[Tensor, ...]:
    """Of a function of energy and force, with respect to ``g`` and every parameter."""
    g = g.detach().requires_grad_()
    e, f = energy.evaluate(g, context)
    return torch.autograd.grad(e.sum() + f.sin().sum(), [g, *energy.parameters()])


@pytest.mark.parametrize("context", MASKS, indirect=True)
def test_padding_to_a_longer_batch_changes_nothing(energy: Energy, context: Context | None) -> None:
    g, more = tokens(), 3
    longer = torch.nn.functional.pad(g, (0, 0, 0, more), value=math.nan)
    padded = on_tokens(context, torch.arange(N + more) % N, torch.arange(N + more) % N) or Context()
    real = torch.ones(BATCH, N, dtype=torch.bool) if padded.tokens is None else padded.tokens[:, :N]
    real = torch.nn.functional.pad(real, (0, more), value=False)
    e, f = energy.evaluate(longer, Context(real, padded.pairs, padded.weights))
    torch.testing.assert_close((e, f[:, :N]), energy.evaluate(g, context), **EXACT)
    assert not f[:, N:].any()


@pytest.mark.parametrize("shape", [(0, 4), (2, 0), (0, 0)])
@pytest.mark.parametrize("masked", [False, True])
def test_no_samples_or_no_tokens(energy: Energy, shape: tuple[int, int], masked: bool) -> None:
    context = Context(tokens=torch.ones(shape, dtype=torch.bool)) if masked else None
    e, f = energy.evaluate(torch.zeros(*shape, DIM).double(), context)
    assert e.shape == shape[:1] and f.shape == (*shape, DIM) and not e.any()


def test_all_tokens_masked(energy: Energy) -> None:
    e, f = energy.evaluate(tokens(), Context(tokens=torch.zeros(BATCH, N, dtype=torch.bool)))
    assert not e.any() and not f.any()


def test_large_tokens_keep_float32_finite_and_right(energy: Energy, context: Context | None) -> None:
    g = 1e3 * tokens(torch.float32)
    expected = [t.detach() for t in energy.evaluate(g.double(), context)]
    found = energy.float().evaluate(g, context)
    for actual, exact in zip(found, expected, strict=True):
        zero = 1e-5 * exact.abs().max().item()
        torch.testing.assert_close(actual.double(), exact, rtol=1e-4, atol=zero)
    assert all(gradient.isfinite().all() for gradient in gradients(energy, g, context))


def test_survives_copies_and_its_state_dict(energy: Energy, context: Context | None) -> None:
    g, twin = tokens(), copy.deepcopy(energy)
    expected = energy.evaluate(g, context)
    assert repr(twin) == repr(energy) and str(DIM) in repr(energy)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.fill_(0.5)
    assert not torch.equal(twin.force(g, context), expected[1])
    twin.load_state_dict(energy.state_dict())
    torch.testing.assert_close(twin.evaluate(g, context), expected, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(BATCH, N, DIM + 1), (N, DIM), (1, BATCH, N, DIM)])
def test_refuses_what_is_not_its_tokens(energy: Energy, shape: tuple[int, ...]) -> None:
    for method in (energy.energy, energy.force, energy.evaluate):
        with pytest.raises(InputError, match=rf"^g must be tokens \(B, N, {DIM}\), not of shape"):
            method(torch.zeros(shape).double())


@pytest.mark.parametrize("shape", [(BATCH, N + 1), (BATCH - 1, N), (BATCH, 1)])
def test_refuses_a_mask_of_other_tokens(energy: Energy, shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"^tokens has shape .*; for these tokens it must be \(3, 4\)$"):
        energy.evaluate(tokens(), Context(tokens=torch.ones(shape, dtype=torch.bool)))


def test_one_mask_serves_the_batch(energy: Energy) -> None:
    g, real = tokens(), torch.tensor([[True, False, True, True]])
    expected = energy.evaluate(g, Context(tokens=real.expand(BATCH, N)))
    torch.testing.assert_close(energy.evaluate(g, Context(tokens=real)), expected, **EXACT)


def test_sums_are_flat_and_add_up() -> None:
    a, b, c = build("attention"), build("memory-relu"), build("memory-softmax")
    g, context = tokens(), contexts()["all"]
    for total in (a + b + c, a + (b + c), sum([a, b, c]), EnergySum([EnergySum([a, b]), c])):
        assert isinstance(total, EnergySum) and list(total.terms) == [a, b, c]
        e, f = total.evaluate(g, context)
        torch.testing.assert_close(e, a.energy(g, context) + b.energy(g, context) + c.energy(g, context), **EXACT)
        torch.testing.assert_close(f, a.force(g, context) + b.force(g, context) + c.force(g, context), **EXACT)
    parts = total.parts(g, context)
    torch.testing.assert_close(parts["HopfieldMemory"], b.energy(g, context) + c.energy(g, context), **EXACT)
    with pytest.raises(TypeError):
        a + 1  # type: ignore[operator]
    with pytest.raises(InputError, match="at least one energy"):
        EnergySum([])


class Growth(Energy):
    """``-|g|^2 / 2``, whose force is the very tensor it is given."""

    def force(self, g: Tensor, context: Context | None = None) -> Tensor:
        return g


def test_a_sum_writes_on_nothing_but_its_own() -> None:
    g, memory = tokens(), build("memory-relu")
    before = g.clone()
    with torch.no_grad():
        for total in (Growth() + memory, Growth() + memory + memory, memory + Growth() + Growth()):
            expected = sum(term.force(before) for term in total.terms)
            torch.testing.assert_close(total.force(g), expected, **EXACT)
    assert torch.equal(g, before)
