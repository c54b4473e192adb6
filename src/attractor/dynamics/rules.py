"""The step rules: what one is, and their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from attractor.dynamics.equilibrium import Equilibrium
from attractor.dynamics.fixed import Fixed
from attractor.dynamics.guaranteed import Guaranteed
from attractor.dynamics.landscape import Landscape
from attractor.dynamics.ode import ODE
from attractor.dynamics.trace import Recorder
from attractor.errors import InputError


class Rule(Protocol):
    """How steps are chosen; one small class a file."""

    def run(self, landscape: Landscape, x: Tensor, steps: int, step_size: float, recorder: Recorder | None) -> Tensor:
        """Walk at most ``steps`` steps from ``x`` and return where it ends.

        With a ``recorder`` every state and step is recorded.
        """
        ...


RULES: dict[str, Callable[[], Rule]] = {
    "fixed": Fixed,
    "guaranteed": Guaranteed,
    "ode": ODE,
    "equilibrium": Equilibrium,
}


def seeks_fixed_point(rule: str | Rule) -> bool:
    """Whether a descent by this rule is to end at a fixed point; ``Trace.converged`` tells whether it did."""
    return isinstance(find_rule(rule), Equilibrium)


def find_rule(rule: str | Rule) -> Rule:
    """A rule by name; an unknown one, and what is no rule, raises :class:`InputError`."""
    if isinstance(rule, str) and rule in RULES:
        return RULES[rule]()
    if isinstance(rule, (str, type)) or not hasattr(rule, "run"):
        raise InputError(f"rule must be one of {', '.join(RULES)}, or a Rule, not {rule!r}")
    return rule
