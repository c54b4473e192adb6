"""The descent: x goes down the energy that is read from g = LN(x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor, nn

from attractor.dynamics.trace import Recorder, Trace
from attractor.energy import Context, Energy
from attractor.errors import InputError


@dataclass(frozen=True)
class Landscape:
    """An energy seen from the state: ``E(norm(x))`` and the direction ``-dE/dg`` in which x moves."""

    energy: Energy
    norm: nn.Module
    context: Context | None = None

    def force(self, x: Tensor) -> Tensor:
        """``-dE/dg`` at ``g = norm(x)``, ``(B, N, D)``."""
        return self.energy.force(self.norm(x), self.context)

    def evaluate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Energy ``(B,)`` and ``-dE/dg (B, N, D)`` at ``g = norm(x)``."""
        return self.energy.evaluate(self.norm(x), self.context)

    def rows(self, index: Tensor) -> Landscape:
        """The landscape of the samples ``index`` alone."""
        return Landscape(self.energy, self.norm, self.context and self.context.rows(index))


class Rule(Protocol):
    """How steps are chosen; one small class a file."""

    def run(self, landscape: Landscape, x: Tensor, steps: int, step_size: float, recorder: Recorder | None) -> Tensor:
        """Walk at most ``steps`` steps from ``x`` and return where it ends; every state and step is recorded."""
        ...


def descend(
    energy: Energy,
    norm: nn.Module,
    x: Tensor,
    *,
    steps: int = 12,
    step_size: float = 0.1,
    rule: str | Rule = "fixed",
    trace: bool | Literal["tokens"] = False,
    context: Context | None = None,
) -> tuple[Tensor, Trace | None]:
    r"""Move tokens down an energy, ``x <- x - alpha dE/dg`` at ``g = norm(x)``.

    ``x (B, N, D)`` goes in and comes out; ``rule`` is a name or a :class:`Rule` (for one with settings); with
    ``trace`` the second value is the :class:`Trace` (``"tokens"`` keeps every state too), else None. Along the flow
    ``dE/dt = -(dE/dg)^T J (dE/dg) <= 0``; a fixed step keeps that only where it is small enough, the guaranteed rule
    always. Raises :class:`InputError` on a negative number of steps, a step size that is not positive, or ``x`` that
    is not a batch of finite tokens. Source: Energy Transformer (Hoover et al. 2023), equations 1 and 2.
    """
    if x.ndim != 3:
        raise InputError(f"x must be tokens (B, N, D), not of shape {tuple(x.shape)}")
    if steps < 0 or not step_size > 0:
        raise InputError(f"steps must be 0 or more and step_size above 0, not {steps} and {step_size}")
    recorder = Recorder(trace == "tokens") if trace else None
    x = find_rule(rule).run(Landscape(energy, norm, context), x, steps, step_size, recorder)
    return x, recorder.trace() if recorder else None


def find_rule(rule: str | Rule) -> Rule:
    """A rule by name; an unknown one raises :class:`InputError`."""
    from attractor.dynamics.rules import RULES

    if not isinstance(rule, str):
        return rule
    if rule not in RULES:
        raise InputError(f"rule must be one of {', '.join(RULES)}, not {rule!r}")
    return RULES[rule]()
