"""Energy attention by its definition, and the switches of its constructor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from registry import BATCH, DIM, HEADS, N, build, contexts, tokens
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from attractor.energy import Context, EnergyAttention
from attractor.errors import InputError


def by_definition(attention: EnergyAttention, g: Tensor, context: Context, b: int) -> Tensor:
    """The energy of sample b, pair by pair."""
    bias = attention.bias if attention.bias is not None else torch.zeros(2, HEADS, 3).double()
    betas = torch.as_tensor(attention.beta, dtype=g.dtype).expand(HEADS, 1, 1).flatten().tolist()
    energy = torch.zeros((), dtype=g.dtype)
    for h, beta in enumerate(betas):
        q, k = (g[b] @ attention.W[i, h].T + bias[i, h] for i in (0, 1))
        for c in range(N):
            scores = [beta * context.weights[b, 0, c, a] * (q[c] @ k[a]) for a in seen(attention, context, b, h, c)]
            energy -= torch.stack(scores).exp().sum().log() / beta if scores else 0
    return energy


def seen(attention: EnergyAttention, context: Context, b: int, h: int, c: int) -> list[int]:
    """The tokens that token c sees."""
    others = [a for a in range(N) if context.pairs[b, h, c, a] and (a != c or attention.include_self)]
    return [a for a in others if context.tokens[b, c] and context.tokens[b, a]]


@pytest.mark.parametrize("name", ["attention", "attention-self-beta-bias"])
def test_energy_by_its_definition(name: str) -> None:
    attention, g, context = build(name), tokens(), contexts()["all"]
    assert isinstance(attention, EnergyAttention) and context is not None
    expected = torch.stack([by_definition(attention, g, context, b) for b in range(BATCH)])
    torch.testing.assert_close(attention.energy(g, context), expected, rtol=1e-12, atol=1e-12)


def test_a_token_alone_feels_nothing_unless_it_sees_itself() -> None:
    g = torch.randn(2, 1, DIM).double()
    e, f = build("attention").evaluate(g)
    assert not e.any() and not f.any()
    e, f = build("attention-self-beta-bias").evaluate(g)
    assert e.all() and f.any()


def test_a_pair_of_weight_0_still_counts_and_a_pair_left_out_does_not() -> None:
    attention, g = build("attention-self-beta-bias"), tokens()
    none = torch.zeros(N, N)
    flat = -(math.log(N) * N / attention.beta).sum()
    torch.testing.assert_close(attention.energy(g, Context(weights=none.double())), flat.expand(BATCH))
    assert not attention.energy(g, Context(pairs=none.bool())).any()


def test_maps_are_rows_of_probabilities() -> None:
    attention, g, context = build("attention"), tokens(), contexts()["all"]
    assert isinstance(attention, EnergyAttention) and context is not None
    p = attention.maps(g.masked_fill(~context.tokens[..., None], math.nan), context)
    assert p.shape == (BATCH, HEADS, N, N) and (p >= 0).all()
    lonely = torch.tensor(
        [[[not seen(attention, context, b, h, c) for c in range(N)] for h in range(HEADS)] for b in range(BATCH)]
    )
    torch.testing.assert_close(p.sum(-1), (~lonely).double(), rtol=1e-12, atol=0)


def test_learnt_betas_start_at_the_fixed_one() -> None:
    assert EnergyAttention(DIM, HEADS, 4).beta == 0.5
    assert EnergyAttention(DIM, HEADS, 4, beta=0.3).beta == 0.3
    learnt = EnergyAttention(DIM, HEADS, 4, learn_beta=True).beta
    assert isinstance(learnt, torch.nn.Parameter)
    assert learnt.shape == (HEADS, 1, 1) and (learnt == 0.5).all()


@pytest.mark.parametrize(
    "wrong", [{"dim": 0}, {"heads": -1}, {"head_dim": 0}, {"beta": 0.0}, {"beta": math.nan}, {"dim": "4"}]
)
def test_refuses_settings_that_are_not_positive(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"^{next(iter(wrong))} must be above 0, not "):
        EnergyAttention(**({"dim": DIM, "heads": HEADS, "head_dim": 3} | wrong))


def test_sizes_are_whole_numbers_of_any_kind() -> None:
    with pytest.raises(InputError, match=r"^head_dim must be a whole number, not 1\.5$"):
        EnergyAttention(4, 2, 1.5)  # type: ignore[arg-type]
    sizes = np.array([4, 2, 3])
    assert EnergyAttention(*sizes).force(torch.randn(1, 5, 4)).shape == (1, 5, 4)


@pytest.mark.parametrize("n", [5, 300])  # where the reference runs, and where strips do
def test_every_product_is_counted(n: int) -> None:
    """Forward four of N D H Y and three of H N N Y, and twice that backward."""
    attention, g = EnergyAttention(8, 3, 16), torch.randn(2, n, 8, requires_grad=True)
    forward = 2 * (4 * 2 * n * 8 * 48 + 3 * 2 * 3 * n * n * 16)
    with FlopCounterMode(display=False) as counter:
        force = attention.force(g)
    assert counter.get_total_flops() == forward
    with FlopCounterMode(display=False) as counter:
        force.sum().backward()
    assert counter.get_total_flops() == 2 * forward
