"""An energy seen from the state that moves on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor, nn

from attractor.energy import Context, Energy


class State(NamedTuple):
    """Tokens ``x (B, N, D)``, their ``g = norm(x)``, ``energy (B,)`` and ``force = -dE/dg (B, N, D)``."""

    x: Tensor
    g: Tensor
    energy: Tensor
    force: Tensor

    def rows(self, index: Tensor) -> State:
        """The samples ``index`` alone, in ascending order."""
        return self if len(index) == len(self.x) else State(*(t[index] for t in self))

    def put(self, index: Tensor, rows: State) -> State:
        """These samples with ``rows`` in the places ``index``, in ascending order."""
        if len(index) == len(self.x):
            return rows
        return State(*(t.index_copy(0, index, row) for t, row in zip(self, rows, strict=True)))


@dataclass(frozen=True)
class Landscape:
    """``E(norm(x))`` and the direction ``-dE/dg`` in which x moves."""

    energy: Energy
    norm: nn.Module
    context: Context | None = None

    def force(self, x: Tensor) -> Tensor:
        """``-dE/dg`` at ``g = norm(x)``, ``(B, N, D)``."""
        return self.energy.force(self.read(x), self.context)

    def read(self, x: Tensor) -> Tensor:
        """``g = norm(x)``; places without a token are cleared first, for a NaN there would come back in gradients."""
        return self.norm(self.present(x))

    def at(self, x: Tensor) -> State:
        """All that is known at x, energy and force from one evaluation."""
        g = self.read(x)
        return State(x, g, *self.energy.evaluate(g, self.context))

    def rows(self, index: Tensor) -> Landscape:
        """The landscape of the samples ``index`` alone."""
        return replace(self, context=self.context and self.context.rows(index))

    def present(self, v: Tensor) -> Tensor:
        """``v (B, N, D)`` cleared where the context has no token."""
        return v if self.context is None else self.context.clear(v)
