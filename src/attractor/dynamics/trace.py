"""What a descent leaves behind: the record that every figure is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Trace:
    """The record of a descent of B samples over T steps; detached, on the device of the tokens.

    ``energies (T+1, B)``, ``forces (T+1, B)`` norms of ``dE/dg``, ``step_sizes (T, B)``, ``updates (T, B)`` norms of
    ``x_{t+1} - x_t``, ``steps (B,)`` taken by each sample before it halted, ``tokens (T+1, B, N, D)`` when asked for.
    A sample that has halted keeps its last energy, force and tokens; its step sizes and updates are 0.
    """

    energies: Tensor
    forces: Tensor
    step_sizes: Tensor
    updates: Tensor
    steps: Tensor
    tokens: Tensor | None = None


@dataclass
class Recorder:
    """Collects a :class:`Trace`; rows absent from ``at`` have halted."""

    keep_tokens: bool
    energies: list[Tensor] = field(default_factory=list)
    forces: list[Tensor] = field(default_factory=list)
    step_sizes: list[Tensor] = field(default_factory=list)
    updates: list[Tensor] = field(default_factory=list)
    tokens: list[Tensor] = field(default_factory=list)

    def state(self, x: Tensor, energy: Tensor, force: Tensor) -> None:
        """The whole batch, before the first step or after one: ``x (B, N, D)``, ``energy (B,)``, ``force`` like x."""
        self.energies.append(energy.detach())
        self.forces.append(norms(force))
        if self.keep_tokens:
            self.tokens.append(x.detach().clone())

    def step(self, step_size: Tensor, update: Tensor) -> None:
        """A step of the whole batch: sizes ``(B,)``, 0 where halted, and ``x_{t+1} - x_t``."""
        self.step_sizes.append(step_size.detach())
        self.updates.append(norms(update))

    def trace(self) -> Trace:
        """What was recorded."""
        empty = self.energies[0].new_empty(0, len(self.energies[0]))
        step_sizes = torch.stack(self.step_sizes) if self.step_sizes else empty
        return Trace(
            energies=torch.stack(self.energies),
            forces=torch.stack(self.forces),
            step_sizes=step_sizes,
            updates=torch.stack(self.updates) if self.updates else empty,
            steps=(step_sizes > 0).sum(dim=0),
            tokens=torch.stack(self.tokens) if self.tokens else None,
        )


def norms(v: Tensor) -> Tensor:
    """Euclidean norm of every sample, ``(B, N, D) -> (B,)``."""
    return torch.linalg.vector_norm(v.detach().flatten(1), dim=1)
