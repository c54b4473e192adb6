"""What a descent leaves behind: the record that every figure is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from attractor.dynamics.landscape import State
from attractor.energy import Context, Energy
from attractor.energy.ops.precision import at_least_float32
from attractor.errors import InputError


@dataclass(frozen=True)
class Trace:
    """The record of a descent of B samples over T steps; detached, on the device of the tokens.

    ``energies (T+1, B)``, ``forces (T+1, B)`` norms of ``dE/dg``, ``step_sizes (T, B)``, ``updates (T, B)`` norms of
    ``x_{t+1} - x_t``, ``steps (B,)`` taken by each sample before it halted, ``converged (B,)`` whether it halted
    because g stood still (rules that do not look never say so), ``tokens (T+1, B, N, D)`` when asked for. A sample
    that has halted keeps its last energy, force and tokens; its step sizes and updates are 0.

    ``first + second`` joins the traces of two blocks. The last state of the first is the first of the second, read by
    another energy: both are kept, with a step of size 0 between them, whose index is in ``seams``.
    """

    energies: Tensor
    forces: Tensor
    step_sizes: Tensor
    updates: Tensor
    steps: Tensor
    converged: Tensor
    tokens: Tensor | None = None
    seams: tuple[int, ...] = ()

    def rises(self, tolerance: float = 0.0) -> Tensor:
        """Steps of every sample after which its energy is not a number at or below the one before, ``(B,)``.

        A rise within ``tolerance`` times the energy's size is none; seams, where the energy itself changes, are none.
        """
        before, after = self.energies[:-1], self.energies[1:]
        risen = ~(after <= before + tolerance * before.abs())
        risen[list(self.seams)] = False
        return risen.sum(dim=0)

    def arrays(self) -> dict[str, Any]:
        """Every recorded tensor as a NumPy array, by its name; bfloat16, which NumPy has not, as float32."""
        record = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors = {name: t for name, t in record.items() if isinstance(t, Tensor)}
        return {
            name: (at_least_float32(t) if t.is_floating_point() else t).cpu().numpy() for name, t in tensors.items()
        }

    def __repr__(self) -> str:  # and not all numbers: a walk holds millions
        kept = "kept" if self.tokens is not None else "not kept"
        return f"Trace(steps={len(self.step_sizes)}, samples={len(self.steps)}, tokens {kept}, seams={self.seams})"

    def __add__(self, after: Trace) -> Trace:
        seam = len(self.step_sizes)
        return Trace(
            energies=torch.cat([self.energies, after.energies]),
            forces=torch.cat([self.forces, after.forces]),
            step_sizes=torch.cat([self.step_sizes, torch.zeros_like(self.forces[:1]), after.step_sizes]),
            updates=torch.cat([self.updates, torch.zeros_like(self.forces[:1]), after.updates]),
            steps=self.steps + after.steps,
            converged=after.converged,
            tokens=None if self.tokens is None or after.tokens is None else torch.cat([self.tokens, after.tokens]),
            seams=(*self.seams, seam, *(seam + 1 + later for later in after.seams)),
        )


@torch.no_grad()
def energy_parts(trace: Trace, energy: Energy, norm: nn.Module, context: Context | None = None) -> dict[str, Tensor]:
    """The energies that a sum is made of along a trace, by class name, each ``(T+1, B)``.

    Raises :class:`InputError` when the trace has kept no tokens.
    """
    if trace.tokens is None:
        raise InputError('this trace has no tokens; make it with trace="tokens"')
    states = [energy.parts(norm(x), context) for x in trace.tokens]
    return {name: torch.stack([parts[name] for parts in states]) for name in states[0]}


@dataclass
class Recorder:
    """Collects the :class:`Trace` of a descent of at most ``limit`` steps."""

    limit: int
    keep_tokens: bool = False
    converged: Tensor | None = None
    energies: list[Tensor] = field(default_factory=list)
    forces: list[Tensor] = field(default_factory=list)
    step_sizes: list[Tensor] = field(default_factory=list)
    updates: list[Tensor] = field(default_factory=list)
    tokens: list[Tensor] = field(default_factory=list)

    def state(self, state: State) -> None:
        """The whole batch, before the first step or after one."""
        self.energies.append(state.energy.detach())
        self.forces.append(norms(state.force))
        if self.keep_tokens:
            self.tokens.append(state.x.detach())

    def step(self, step_size: Tensor | float, update: Tensor) -> None:
        """A step of the whole batch: its size or sizes ``(B,)``, 0 where halted, and ``x_{t+1} - x_t``."""
        self.updates.append(norms(update))
        self.step_sizes.append(torch.zeros_like(self.updates[-1]) + step_size)

    def trace(self) -> Trace:
        """What was recorded, the steps that nobody took any more filled in."""
        left = self.limit - len(self.step_sizes)
        still = [torch.zeros_like(self.forces[0])] * left
        step_sizes = _stack([*self.step_sizes, *still], like=self.forces[0])
        none = torch.zeros_like(step_sizes[:1].sum(dim=0), dtype=torch.bool)
        return Trace(
            energies=torch.stack([*self.energies, *self.energies[-1:] * left]),
            forces=torch.stack([*self.forces, *self.forces[-1:] * left]),
            step_sizes=step_sizes,
            updates=_stack([*self.updates, *still], like=self.forces[0]),
            steps=(step_sizes > 0).sum(dim=0),
            converged=none if self.converged is None else self.converged,
            tokens=torch.stack([*self.tokens, *self.tokens[-1:] * left]) if self.keep_tokens else None,
        )


def norms(v: Tensor) -> Tensor:
    """Euclidean norm of every sample in float32 or better, ``(B, N, D) -> (B,)``."""
    return torch.linalg.vector_norm(at_least_float32(v.detach()).flatten(1), dim=1)


def _stack(rows: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(rows) if rows else like.new_empty(0, len(like))
