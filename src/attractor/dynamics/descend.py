"""The descent: x goes down the energy that is read from g = LN(x)."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any, Literal

from torch import Tensor, nn

from attractor.dynamics.landscape import Landscape
from attractor.dynamics.rules import Rule, find_rule
from attractor.dynamics.trace import Recorder, Trace
from attractor.energy import Context, Energy
from attractor.energy.checks import is_number, require_positive
from attractor.errors import InputError


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

    ``x (B, N, D)`` goes in and comes out; ``rule`` is ``"fixed"``, ``"guaranteed"``, ``"ode"``, ``"equilibrium"`` or
    a :class:`Rule` (for one with settings); with ``trace`` the second value is the :class:`Trace` (``"tokens"`` keeps
    every state too), else None. Along the flow ``dE/dt = -(dE/dg)^T J (dE/dg) <= 0``; a fixed step keeps that only
    where it is small enough, the guaranteed rule always. No tokens, no step. Raises :class:`InputError` on an unknown
    rule or trace, a number of steps that is not whole or is negative, a step size that is not a positive number, or
    ``x`` that is not a batch of floating-point tokens, of the type of the weights unless autocast joins them.
    Source: Energy Transformer (Hoover et al. 2023), equations 1 and 2.
    """
    if x.ndim != 3 or not x.is_floating_point():
        raise InputError(f"x must be floating-point tokens (B, N, D), not {x.dtype} of shape {tuple(x.shape)}")
    if not is_number(steps, Integral) or steps < 0:
        raise InputError(f"steps must be a whole number of 0 or more, not {steps!r}")
    require_positive(step_size=step_size)
    if trace not in (True, False, "tokens"):
        raise InputError(f'trace must be True, False or "tokens", not {trace!r}')
    recorder = Recorder(steps, trace == "tokens") if trace else None
    walk, landscape = find_rule(rule), Landscape(energy, norm, context)
    if x.numel():
        x = walk.run(landscape, x, steps, step_size, recorder)
    elif recorder:
        recorder.state(landscape.at(x))
    return x, recorder.trace() if recorder else None


def descend_blocks(
    blocks: Iterable[tuple[Energy, nn.Module]], x: Tensor, **settings: Any
) -> tuple[Tensor, list[Trace]]:
    """:func:`descend` through several ``(energy, norm)`` one after another, and each one's trace when asked for.

    ``settings`` are those of :func:`descend`, the same for every block. Traces join by ``+``.
    """
    traces = []
    for energy, norm in blocks:
        x, trace = descend(energy, norm, x, **settings)
        traces += [trace] if trace else []
    return x, traces
