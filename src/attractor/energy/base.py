"""The contract of every energy: a scalar per sample, its closed-form force, and sums of both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, cast

import torch
from torch import Tensor, nn

from attractor.energy.edges import Edges
from attractor.energy.ops.eager import is_transformed
from attractor.errors import InputError

BLOCK = 2**16  # tokens at a time of what every token does for itself


@dataclass(frozen=True, eq=False)
class Context:
    """What surrounds a batch of tokens ``(B, N, D)`` and stays as it is while they move.

    ``tokens``: bool ``(B, N)``, False where there is no token (padding): such a token neither acts nor is acted on.
    ``pairs``: bool ``(N, N)``, ``(B, N, N)`` or ``(B, H, N, N)``, False where token C (row) must not see B (column).
    ``weights``: float, shaped like ``pairs``: multiplies the attention score of each pair. A weight of 0 leaves a
    score of 0, which still counts ``exp(0)``; to remove a pair use ``pairs``. A batch or head size of 1 serves all.
    ``edges``: a graph on the N tokens, or one a relation, the same for all samples: a token sees its neighbours alone.
    They take the place of all masks; ``weights`` are then ``(E, H)`` or ``(E, 1)``, of the edges of all relations, one
    relation after another. Raises :class:`InputError` on a mask of another kind and on edges beside masks;
    an energy raises it on one that does not fit its tokens.
    """

    tokens: Tensor | None = None
    pairs: Tensor | None = None
    weights: Tensor | None = None
    edges: tuple[Edges, ...] = ()

    def __post_init__(self) -> None:
        if self.tokens is not None and (self.tokens.dtype != torch.bool or self.tokens.ndim != 2):
            raise InputError(f"tokens must be a bool mask (B, N), not {_what(self.tokens)}")
        if self.pairs is not None and (self.pairs.dtype != torch.bool or self.pairs.ndim not in (2, 3, 4)):
            raise InputError(f"pairs must be a bool mask (N, N), (B, N, N) or (B, H, N, N), not {_what(self.pairs)}")
        if self.weights is not None and (not self.weights.is_floating_point() or self.weights.ndim not in (2, 3, 4)):
            raise InputError(f"weights must be floats (N, N), (B, N, N) or (B, H, N, N), not {_what(self.weights)}")
        if self.edges and not (self.tokens is self.pairs is None):
            raise InputError("edges take the place of masks; leave those out")
        if self.edges and self.weights is not None:
            self._check_edge_weights(self.weights)

    def _check_edge_weights(self, weights: Tensor) -> None:
        count = sum(edges.count for edges in self.edges)
        if weights.ndim != 2 or weights.shape[0] != count:
            raise InputError(f"weights of {count} edges must be (E, H) or (E, 1), not {_what(weights)}")

    @property
    def all_pairs(self) -> bool:
        """Whether all tokens that there are see each other, all pairs with the same weight."""
        return len(self.edges) == 0 and self.pairs is None and self.weights is None

    def rows(self, index: Tensor | slice) -> Context:
        """The context of the samples ``index`` alone."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        shared = {
            name
            for name, t in parts.items()
            if name == "edges" or t is None or len(t) == 1 or (name != "tokens" and t.ndim == 2)
        }
        return Context(**{name: t if name in shared else t[index] for name, t in parts.items()})

    def clear(self, v: Tensor) -> Tensor:
        """``v (B, N, ...)`` with zeros where there is no token: what stands there, even NaN, must not count."""
        if self.tokens is None:
            return v
        return v.masked_fill(~self.tokens.view(*self.tokens.shape, *[1] * (v.ndim - 2)), 0)

    def check_tokens(self, batch: int, n: int) -> None:
        """Raise :class:`InputError` unless ``tokens`` fits ``g (B, N, D)``."""
        if self.tokens is not None:
            _fit("tokens", self.tokens, (batch, n), free=1)

    def check_pairs(self, batch: int, heads: int, n: int) -> None:
        """Raise :class:`InputError` unless ``pairs`` and ``weights`` fit the scores ``(B, H, N, N)``."""
        if self.edges:
            if self.weights is not None and self.weights.shape[1] not in (1, heads):
                raise InputError(f"weights are of {self.weights.shape[1]} heads; for this energy give {heads} or 1")
            return
        sizes = {2: (n, n), 3: (batch, n, n), 4: (batch, heads, n, n)}
        for name, t in {"pairs": self.pairs, "weights": self.weights}.items():
            if t is not None:
                _fit(name, t, sizes[t.ndim], free=t.ndim - 2)

    def relation(self, number: int, n: int) -> Edges:
        """The edges of one relation. Raises :class:`InputError` where there is none, or they are of other tokens."""
        if number >= len(self.edges):
            raise InputError(f"the energy wants relation {number}, but the context has {len(self.edges)} relations")
        if self.edges[number].nodes != n:
            raise InputError(f"the edges are of {self.edges[number].nodes} tokens, not of these {n}")
        return self.edges[number]

    def relation_weights(self, number: int) -> Tensor | None:
        """What multiplies the scores along the edges of one relation, ``(E, H)`` or ``(E, 1)``."""
        if self.weights is None:
            return None
        return self.weights.split([edges.count for edges in self.edges])[number]


def _what(t: Tensor) -> str:
    return f"{t.dtype} of shape {tuple(t.shape)}"


def _fit(name: str, t: Tensor, sizes: tuple[int, ...], free: int) -> None:
    """Raise unless ``t`` has these sizes; the first ``free`` of them may also be 1."""
    if any(a != b and not (i < free and a == 1) for i, (a, b) in enumerate(zip(t.shape, sizes, strict=True))):
        raise InputError(f"{name} has shape {tuple(t.shape)}; for these tokens it must be {sizes}")


def require_same_dtype(x: Tensor, weight: Tensor) -> None:
    """Raise :class:`InputError` where they are of two types and autocast, which leaves float64, does not join them."""
    if x.dtype == weight.dtype:
        return
    if torch.float64 in (x.dtype, weight.dtype) or not torch.is_autocast_enabled(x.device.type):
        raise InputError(f"tokens are {x.dtype}, weights {weight.dtype}; give both one, as by x.to({weight.dtype})")


def real_tokens(g: Tensor, weight: Tensor, context: Context | None) -> Tensor:
    """``g``, cleared where the context has no token.

    Raises :class:`InputError` unless ``g`` is ``(B, N, D)`` for a ``weight (..., D)`` and the token mask fits it.
    """
    if g.ndim != 3 or g.shape[-1] != weight.shape[-1]:
        raise InputError(f"g must be tokens (B, N, {weight.shape[-1]}), not of shape {tuple(g.shape)}")
    require_same_dtype(g, weight)
    if context is None:
        return g
    context.check_tokens(*g.shape[:2])
    return context.clear(g)


def is_number(value: Any, kind: type = Real) -> bool:
    """Whether this is a number of a kind, ``Integral`` where it is to be whole; numpy's are too."""
    return isinstance(value, kind)


def require_positive(**settings: float) -> None:
    """Raise :class:`InputError` naming the first setting that is not a number above 0."""
    for name, value in settings.items():
        if not is_number(value) or not 0 < value < math.inf:
            raise InputError(f"{name} must be above 0, not {value!r}")


def require_sizes(**sizes: int) -> None:
    """Raise :class:`InputError` naming the first size that is not a whole number above 0."""
    require_positive(**sizes)
    for name, value in sizes.items():
        if not is_number(value, Integral):
            raise InputError(f"{name} must be a whole number, not {value!r}")


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


def in_blocks(function: Callable[..., Tensor], *tensors: Tensor, dim: int) -> Tensor:
    """``function`` of tensors whose tokens, along ``dim``, do not feel each other: in blocks of tokens.

    So what it holds in between stays small. Only where there are many, and no gradient that would hold it anyway.
    """
    if torch.is_grad_enabled() or tensors[0].shape[dim] <= BLOCK:
        return function(*tensors)
    whole: Tensor | None = None
    for start in range(0, tensors[0].shape[dim], BLOCK):
        length = min(BLOCK, tensors[0].shape[dim] - start)
        part = function(*(t.narrow(dim, start, length) for t in tensors))
        if whole is None:
            whole = part.new_empty([*part.shape[:dim], tensors[0].shape[dim], *part.shape[dim + 1 :]])
        whole.narrow(dim, start, length).copy_(part)
    assert whole is not None
    return whole
