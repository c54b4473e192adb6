"""The contract of every energy: a scalar per sample, its closed-form force, and sums of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from attractor.energy.context import Context
from attractor.energy.ops.eager import is_transformed
from attractor.errors import InputError


class Energy(nn.Module):
    """A scalar per sample on tokens ``g (B, N, D)``, and its force in closed form.

    ``energy(g) -> (B,)`` in float32 or better; ``force(g) = -dE/dg``, like ``g``, without autograd and itself
    differentiable, so that every forward runs under inference_mode, autocast, compile and export. Energies add:
    ``a + b`` and ``sum([a, b])`` are the energy of both. An energy writes :meth:`per_token` and :meth:`force`.
    """

    def per_token(self, g: Tensor, context: Context | None = None) -> Tensor:
        """The share of every token in ``E(g)``, ``(B, N, D) -> (B, N)``."""
        raise NotImplementedError

    def energy(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``E(g)`` of every sample, ``(B, N, D) -> (B,)``."""
        return self.per_token(g, context).sum(dim=1)

    def force(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``-dE/dg``, ``(B, N, D) -> (B, N, D)``."""
        raise NotImplementedError

    def evaluate(self, g: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """``E(g)`` and ``-dE/dg`` at once, sharing what they have in common."""
        return self.energy(g, context), self.force(g, context)

    def parts(self, g: Tensor, context: Context | None = None) -> dict[str, Tensor]:
        """The energies that this one is the sum of, by class name, each ``(B,)``."""
        return {type(self).__name__: self.energy(g, context)}

    def forward(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``E(g)``."""
        return self.energy(g, context)

    def __add__(self, other: Any) -> EnergySum:
        if not isinstance(other, Energy):
            return NotImplemented
        return EnergySum([self, other])

    def __radd__(self, other: Any) -> Energy:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # where sum([a, b]) starts


class EnergySum(Energy):
    """``E = sum_i E_i``, its force the sum of the forces; sums among the terms are taken apart.

    Raises :class:`InputError` when there is no term.
    """

    def __init__(self, terms: Iterable[Energy]):
        super().__init__()
        self.terms = cast("Sequence[Energy]", nn.ModuleList(part for term in terms for part in _terms(term)))
        if not self.terms:
            raise InputError("a sum of energies needs at least one energy")

    def per_token(self, g: Tensor, context: Context | None = None) -> Tensor:
        """The share of every token in ``sum_i E_i(g)``, ``(B, N, D) -> (B, N)``."""
        first, *rest = self.terms
        return sum((term.per_token(g, context) for term in rest), start=first.per_token(g, context))

    def force(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``sum_i -dE_i/dg``, ``(B, N, D) -> (B, N, D)``."""
        first, *rest = self.terms
        force, ours = first.force(g, context), False  # a term may give what is not ours to write on, such as g itself
        in_place = not torch.is_grad_enabled() and not is_transformed()
        for term in rest:
            more = term.force(g, context)
            force, ours = force.add_(more) if ours and in_place else force + more, True
        return force

    def evaluate(self, g: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Energy and force of the sum."""
        first, *rest = self.terms
        energy, force = first.evaluate(g, context)
        for term in rest:
            e, f = term.evaluate(g, context)
            energy, force = energy + e, force + f
        return energy, force

    def parts(self, g: Tensor, context: Context | None = None) -> dict[str, Tensor]:
        """Every term's energy; two terms of one class are summed under its name."""
        parts: dict[str, Tensor] = {}
        for term in self.terms:
            for name, energy in term.parts(g, context).items():
                parts[name] = parts[name] + energy if name in parts else energy
        return parts


def _terms(energy: Energy) -> list[Energy]:
    return list(energy.terms) if isinstance(energy, EnergySum) else [energy]
