"""What surrounds tokens on their way: who is there, who sees whom, and how well."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from attractor.energy.checks import require_same_dtype
from attractor.energy.edges import Edges
from attractor.errors import InputError


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
