"""Every energy of the library, for tests that all of them must pass, and what may surround their tokens."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import attractor.energy
from attractor.energy import Context, Edges, Energy, EnergyAttention, HopfieldMemory

BATCH, N, DIM, HEADS = 3, 4, 5, 2

ENERGIES: dict[str, Callable[[], Energy]] = {
    "attention": lambda: EnergyAttention(DIM, HEADS, 3),
    "attention-self-beta-bias": lambda: EnergyAttention(DIM, HEADS, 3, learn_beta=True, bias=True, include_self=True),
    "attention-mixed": lambda: EnergyAttention(DIM, HEADS, 3, learn_beta=True, bias=True, mix_heads=True),
    "attention-relation": lambda: EnergyAttention(DIM, HEADS, 3, relation=1),
    "memory-relu": lambda: HopfieldMemory(DIM, 6, bias=True),
    "memory-gelu": lambda: HopfieldMemory(DIM, 6, activation="gelu"),
    "memory-power": lambda: HopfieldMemory(DIM, 6, activation="power", exponent=3, bias=True),
    "memory-softmax": lambda: HopfieldMemory(DIM, 6, activation="softmax", beta=0.7, bias=True),
    "sum": lambda: EnergyAttention(DIM, HEADS, 3, beta=0.9) + HopfieldMemory(DIM, 6),
}


def classes() -> set[type[Energy]]:
    """Every class of energy in the library, exported or not."""
    for module in pkgutil.walk_packages(attractor.energy.__path__, "attractor.energy."):
        importlib.import_module(module.name)

    def below(parent: type[Energy]) -> Iterator[type[Energy]]:
        for child in parent.__subclasses__():
            yield child
            yield from below(child)

    return {c for c in below(Energy) if c.__module__.startswith("attractor.energy.")}


def build(name: str, dtype: torch.dtype = torch.float64) -> Energy:
    """An energy of the registry with weights far from their small start, its betas positive and unlike."""
    energy = ENERGIES[name]().to(dtype)
    with torch.no_grad():
        for key, parameter in energy.named_parameters():
            if key.endswith("beta"):
                parameter.uniform_(0.4, 1.5)
            else:
                parameter.normal_(std=0.6)
    return energy


def tokens(dtype: torch.dtype = torch.float64) -> Tensor:
    """A batch of normal tokens."""
    return torch.randn(BATCH, N, DIM, dtype=torch.float64).to(dtype)


def contexts(dtype: torch.dtype = torch.float64) -> dict[str, Context | None]:
    """Nothing, each mask alone (the first sample has one token left, the last all), all at once, and two relations."""
    real = torch.tensor([[True, False, False, False], [True, False, True, True], [True] * 4])
    pairs = torch.rand(BATCH, HEADS, N, N) > 0.4
    weights = torch.randn(BATCH, 1, N, N).to(dtype)
    return {
        "alone": None,
        "tokens": Context(tokens=real),
        "pairs": Context(pairs=pairs[0, 0]),
        "weights": Context(weights=weights[:, 0]),
        "all": Context(real, pairs, weights),
        "edges": Context(edges=relations()),
        "weighted-edges": Context(
            edges=relations(), weights=torch.randn(sum(edges.count for edges in relations()), HEADS).to(dtype)
        ),
    }


def relations() -> tuple[Edges, Edges]:
    """An undirected graph with self-loops, and a directed one without, in which token 2 sees nobody and 3 is alone."""
    index = torch.tensor([[0, 1, 0], [1, 2, 2]])
    return Edges.build(index, N), Edges.build(index.flip(0), N, directed=True, self_loops=False)
