"""Hopfield memory by its definition, and the switches of its constructor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from registry import DIM, build, tokens
from torch import Tensor
from torch.nn import functional as F

from attractor.energy import HopfieldMemory
from attractor.errors import InputError

POTENTIALS: dict[str, Callable[[Tensor], Tensor]] = {
    "memory-relu": lambda h: h.clamp_min(0).square().sum(-1) / 2,
    "memory-gelu": lambda h: F.gelu(h, approximate="tanh").square().sum(-1) / 2,
    "memory-power": lambda h: h.clamp_min(0).pow(3).sum(-1) / 3,
    "memory-softmax": lambda h: (0.7 * h).exp().sum(-1).log() / 0.7,
}


@pytest.mark.parametrize("name", POTENTIALS)
def test_energy_by_its_definition(name: str) -> None:
    memory, g = build(name), tokens()
    assert isinstance(memory, HopfieldMemory)
    bias = 0 if memory.bias is None else memory.bias
    h = torch.einsum("bnd,md->bnm", g, memory.xi) + bias
    expected = -POTENTIALS[name](h).sum(-1)
    torch.testing.assert_close(memory.energy(g), expected, rtol=1e-12, atol=1e-12)


def test_relu_is_the_power_of_2() -> None:
    relu = build("memory-relu")
    power = HopfieldMemory(DIM, 6, activation="power", exponent=2, bias=True).double()
    power.load_state_dict(relu.state_dict())
    g = tokens()
    torch.testing.assert_close(power.evaluate(g), relu.evaluate(g), rtol=1e-12, atol=1e-12)


def test_softmax_has_the_temperature_of_its_width_unless_given() -> None:
    assert HopfieldMemory(16, 7, activation="softmax").beta == 0.25
    assert HopfieldMemory(16, 7, activation="softmax", beta=math.sqrt(7)).beta == math.sqrt(7)  # published


def test_a_token_on_a_memory_is_drawn_to_it() -> None:
    memory = HopfieldMemory(DIM, DIM)
    with torch.no_grad():
        memory.xi.copy_(torch.eye(DIM))
    force = memory.force(torch.eye(DIM)[None] * torch.tensor([1.0, 2.0, 3.0, -1.0, -2.0]))
    torch.testing.assert_close(force[0], torch.diag(torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0])))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dim": 0}, "dim must be above 0"),
        ({"memories": 0}, "memories must be above 0"),
        ({"dim": "4"}, "dim must be above 0, not '4'"),
        ({"memories": 2.5}, "memories must be a whole number"),
        ({"activation": "power", "exponent": "3"}, "exponent must be 2 or more, not '3'"),
        ({"beta": -1.0}, "beta must be above 0"),
        ({"beta": float("inf")}, "beta must be above 0"),
        ({"activation": "power", "exponent": float("nan")}, "exponent must be 2 or more"),
        ({"activation": "tanh"}, "activation must be one of relu, gelu, power, softmax, not 'tanh'"),
        ({"activation": "power", "exponent": 1.5}, "exponent must be 2 or more"),
    ],
)
def test_refuses_settings_it_cannot_have(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        HopfieldMemory(**({"dim": DIM, "memories": 6} | wrong))
