"""How often the energy rises along a descent: the plain step against the guaranteed one, as results/descent-rises.json.

python benchmarks/descent.py

Every draw is a random block (attention, memory or both; their weights; one norm for the blocks of a group), random
tokens and their scale, a step size and a number of steps. Both rules walk from the same tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from attractor.dynamics import Trace, descend
from attractor.energy import Context, Energy, EnergyAttention, EnergyLayerNorm, EnergySum, HopfieldMemory
from attractor.energy.memory import ACTIVATIONS
from attractor.files import write_json
from attractor.provenance import provenance

GROUPS, BLOCKS = 100, 100
RESULTS = Path(__file__).parents[1] / "results/descent-rises.json"
# Of an energy's size: a rise that is smaller may be the evaluation's rounding and is not held against the plain rule.
ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 5e-2}


class Draw(NamedTuple):
    """A group of blocks and where they start, ready for :func:`walk`."""

    energy: Stack
    norm: EnergyLayerNorm
    x: Tensor
    steps: int
    step_size: float


@dataclass(frozen=True)
class Which(Context):
    """Which block of a :class:`Stack` each sample of a batch descends on."""

    blocks: Tensor | None = None

    def rows(self, index: Tensor) -> Which:
        """The samples ``index`` alone."""
        return Which(blocks=self.blocks[index])


class Stack(Energy):
    """Many energies of one shape and different weights, one for every sample of the batch."""

    def __init__(self, energies: list[Energy]):
        super().__init__()
        parameters, _ = torch.func.stack_module_state(energies)
        self.weights = nn.ParameterDict({name.replace(".", "/"): p for name, p in parameters.items()})
        self.names = list(parameters)
        self._one = [_Evaluate(energies[0])]  # in a list, so that it is no submodule

    def evaluate(self, g: Tensor, context: Which) -> tuple[Tensor, Tensor]:
        """Energy and force, every sample by its own weights."""
        weights = {f"energy.{n}": self.weights[n.replace(".", "/")][context.blocks] for n in self.names}
        return torch.vmap(lambda w, g: torch.func.functional_call(self._one[0], w, g))(weights, g)

    def force(self, g: Tensor, context: Which) -> Tensor:
        """The force of :meth:`evaluate`."""
        return self.evaluate(g, context)[1]


class _Evaluate(nn.Module):
    def __init__(self, energy: Energy):
        super().__init__()
        self.energy = energy

    def forward(self, g: Tensor) -> tuple[Tensor, Tensor]:
        energy, force = self.energy.evaluate(g.unsqueeze(0))
        return energy.squeeze(0), force.squeeze(0)


def draws(groups: int, blocks: int, seed: int = 0) -> Iterator[Draw]:
    """``groups`` times ``blocks`` random blocks with their tokens, in float64."""
    torch.manual_seed(seed)
    for _ in range(groups):
        dim, n = _integer(4, 16), _integer(2, 8)
        settings = {"activation": ACTIVATIONS[_integer(0, 3)], "exponent": float(_integer(2, 4))}
        shape = dim, _integer(1, 4), _integer(2, 8)
        flags = {"include_self": bool(_integer(0, 1))}
        memories = _integer(1, 4 * dim)
        kinds = [lambda: EnergyAttention(*shape, **flags), lambda: HopfieldMemory(dim, memories, **settings)]  # noqa: B023
        terms = [kinds[:1], kinds[1:], kinds][_integer(0, 2)]
        stack = [EnergySum(term() for term in terms) for _ in range(blocks)]
        yield Draw(
            energy=_randomise(Stack(stack)).double(),
            norm=_norm(dim).double(),
            x=torch.randn(blocks, n, dim, dtype=torch.float64) * _log_uniform(1e-3, 1e3, blocks, 1, 1),
            steps=_integer(1, 100),
            step_size=_log_uniform(1e-3, 1e3).item(),
        )


def walk(draw: Draw, rule: str, dtype: torch.dtype) -> Trace:
    """The descent of a whole group in one precision."""
    energy, norm, x, steps, step_size = draw
    energy, norm, which = energy.to(dtype), norm.to(dtype), Which(blocks=torch.arange(len(x)))
    with torch.no_grad():
        settings = {"steps": steps, "step_size": step_size, "rule": rule, "context": which}
        _, trace = descend(energy, norm, x.to(dtype), trace="tokens", **settings)
    assert trace is not None
    energy.double(), norm.double()
    return trace


@torch.no_grad()
def drift(draw: Draw, trace: Trace) -> float:
    """The largest rise of a trace's tokens evaluated anew in float64, as a share of the energy's size."""
    which = Which(blocks=torch.arange(len(draw.x)))
    energies = torch.stack([draw.energy.evaluate(draw.norm(x.double()), which)[0] for x in trace.tokens])
    sizes = energies.abs().amax(dim=0).clamp_min(1e-300)
    return ((energies[1:] - energies[:-1]) / sizes).amax().item()


def measure(rule: str, dtype: torch.dtype) -> dict[str, Any]:
    """Share of blocks and of steps that rise, in all and by the decade of the step size."""
    decades: dict[int, list[tuple[int, int, int, int]]] = {}
    worst = 0.0
    tolerance = ROUNDING[dtype] if rule == "fixed" else 0.0
    for draw in draws(GROUPS, BLOCKS):
        trace = walk(draw, rule, dtype)
        rises = trace.rises(tolerance)
        counts = len(rises), int((rises > 0).sum()), int(trace.steps.sum()), int(rises.sum())
        decades.setdefault(math.floor(math.log10(draw.step_size)), []).append(counts)
        worst = max(worst, drift(draw, trace)) if rule == "guaranteed" else math.nan
    by_step_size = {f"1e{d}..1e{d + 1}": _shares(decades[d]) for d in sorted(decades)}
    everything = _shares([counts for group in decades.values() for counts in group])
    return {**everything, "ignored_below": tolerance, "worst_in_float64": worst, "by_step_size": by_step_size}


def _shares(counts: list[tuple[int, int, int, int]]) -> dict[str, float]:
    blocks, rising, steps, rises = (sum(column) for column in zip(*counts, strict=True))
    return {"blocks": blocks, "steps": steps, "blocks_rising": rising / blocks, "steps_rising": rises / max(steps, 1)}


def _integer(low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, ()))


def _log_uniform(low: float, high: float, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float64).uniform_(math.log(low), math.log(high)).exp()


@torch.no_grad()
def _randomise(stack: Stack) -> Stack:
    """Weights of every block with a standard deviation of its own, 0.1 to 3."""
    for p in stack.parameters():
        p.copy_(torch.randn_like(p) * _log_uniform(0.1, 3, len(p), *[1] * (p.ndim - 1)))
    return stack


@torch.no_grad()
def _norm(dim: int) -> EnergyLayerNorm:
    norm = EnergyLayerNorm(dim)
    norm.gamma.copy_(_log_uniform(0.1, 10))
    norm.delta.normal_()
    return norm


if __name__ == "__main__":
    precisions = {str(dtype).removeprefix("torch."): dtype for dtype in ROUNDING}
    rises = {name: {rule: measure(rule, d) for rule in ("fixed", "guaranteed")} for name, d in precisions.items()}
    write_json(RESULTS, {"name": "descent-rises", "seed": 0, "rises": rises, **provenance()})
    for name, rules in rises.items():
        fixed, guaranteed = rules["fixed"], rules["guaranteed"]
        print(
            f"{name}: the plain step lets the energy of {100 * fixed['blocks_rising']:.2g} % of {fixed['blocks']:,} "
            f"blocks rise ({100 * fixed['steps_rising']:.2g} % of steps), the guaranteed one of "
            f"{100 * guaranteed['blocks_rising']:g} % (seen in float64: {guaranteed['worst_in_float64']:.1g} of E)"
        )
