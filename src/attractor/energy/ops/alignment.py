"""What energy attention needs of its scores: row log-sum-exps, ``P K`` and ``P^T Q``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from attractor.energy.ops import edge_products
from attractor.energy.ops.eager import is_counted, is_for_torch_alone
from attractor.energy.ops.edges import along_edges, edge_map
from attractor.energy.ops.edges import reference as reference_along
from attractor.energy.ops.precision import at_least_float32
from attractor.energy.ops.strips import strips

if TYPE_CHECKING:
    from attractor.energy.context import Context
    from attractor.energy.edges import Edges

# Up to this many scores the reference is the faster one (65 tokens, 12 heads: 10 %): see benchmarks/LOG.md.
SMALL = 2**16


class Alignment(NamedTuple):
    """``lse (B, H, N) = logsumexp_B S``, ``mix (B, H, N, Y) = P K``, ``pull (B, H, N, Y) = P^T Q``."""

    lse: Tensor
    mix: Tensor
    pull: Tensor


class Mixing(NamedTuple):
    """How heads share scores: head o attends by ``S_o = sum_h into_ho a_h``, ``a_h`` the scores of head h.

    Keys and queries of head h are weighted by ``sum_o back_ho P_o``. Both are ``(H, H)``.
    """

    into: Tensor
    back: Tensor


class Surroundings(NamedTuple):
    """Who sees whom: those that the ``context`` leaves, or along ``edges``, self-loops included, in place of these.

    ``weights (E, H)`` or ``(E, 1)`` multiply the scores along edges.
    """

    context: Context | None = None
    include_self: bool = True
    edges: Edges | None = None
    weights: Tensor | None = None


EVERYBODY = Surroundings()


def align(
    q: Tensor, k: Tensor, around: Surroundings = EVERYBODY, mixing: Mixing | None = None, energy: bool = True
) -> Alignment:
    """The alignment of scores ``q k^T``, every scale already folded into ``q``; ``q, k (B, H, N, Y)``.

    Masks and weights of pairs are N x N themselves and go to the reference, and so do mixed heads, what is counted, and
    what is exported, which must run where this package is not installed. All else takes O(N) memory beyond ``SMALL``
    scores. Mixed or weighted scores along edges keep one number for every edge and head. Without ``energy``, ``lse`` is
    meaningless.
    """
    context, include_self, edges, weights = around
    batch, heads, n, _ = q.shape
    if edges is not None and (mixing is not None or weights is not None):
        return _along_weighted(q, k, edges, weights, mixing)
    if edges is not None:
        along = reference_along if is_for_torch_alone(q, k) else along_edges
        lse, mix, pull = (_from_nodes(t, batch) for t in along(_to_nodes(q), _to_nodes(k), edges))
        return Alignment(lse, mix.to(q.dtype), pull.to(q.dtype))
    dense = context is not None and (context.pairs is not None or context.weights is not None)
    plain = is_for_torch_alone(q, k) or is_counted()
    if dense or mixing is not None or plain or batch * heads * n * n <= SMALL:
        return reference(q, k, around, mixing)
    tokens = context.tokens if context else None
    return Alignment(*strips(q, k, tokens, include_self, energy))


def reference(q: Tensor, k: Tensor, around: Surroundings = EVERYBODY, mixing: Mixing | None = None) -> Alignment:
    """The equations as they stand; holds the ``(B, H, N, N)`` scores."""
    context = around.context
    scores, p = _scores(q, k, context, around.include_self, mixing)
    lse = scores.logsumexp(dim=-1)
    lse = lse.masked_fill(lse <= torch.finfo(lse.dtype).min / 2, 0)
    if context is not None and context.weights is not None:
        p = p * _over_heads(context.weights)
    if mixing is not None:
        p = torch.einsum("bocd,ho->bhcd", p, mixing.back.to(p.dtype))
    p = p.to(q.dtype)
    return Alignment(lse, p @ k, p.transpose(-2, -1) @ q)


def attention_map(q: Tensor, k: Tensor, around: Surroundings = EVERYBODY, mixing: Mixing | None = None) -> Tensor:
    """``P = softmax_B(S)``, ``(B, H, N, N)``; along edges ``(B, H, E)``."""
    context, include_self, edges, weights = around
    if edges is not None and (mixing is not None or weights is not None):
        return _weighted_softmax(_to_nodes(q), _to_nodes(k), edges, weights, mixing, len(q))[0].permute(1, 2, 0)
    if edges is not None:
        return _from_nodes(edge_map(_to_nodes(q), _to_nodes(k), edges), len(q))
    return _scores(q, k, context, include_self, mixing)[1]


def _along_weighted(q: Tensor, k: Tensor, edges: Edges, weights: Tensor | None, mixing: Mixing | None) -> Alignment:
    """Along edges with scores that heads share, ``(H, H)``, or edges weigh, ``(E, H)`` or ``(E, 1)``."""
    batch, dtype = len(q), q.dtype
    with torch.autocast(q.device.type, enabled=False):
        q, k = (_to_nodes(t if dtype == torch.bfloat16 else at_least_float32(t)) for t in (q, k))
        p, lse = _weighted_softmax(q, k, edges, weights, mixing, batch)
        c = p if weights is None else p * weights.unsqueeze(1)
        c = (c if mixing is None else c @ mixing.back.T.to(c.dtype)).flatten(1)
        mix, pull = edge_products.sums(c, k, edges), edge_products.sums(c, q, edges, transposed=True)
    return Alignment(_from_nodes(lse, batch), _from_nodes(mix, batch).to(dtype), _from_nodes(pull, batch).to(dtype))


def _weighted_softmax(
    q: Tensor, k: Tensor, edges: Edges, weights: Tensor | None, mixing: Mixing | None, batch: int
) -> tuple[Tensor, Tensor]:
    """``P (E, B, H)`` and log-sum-exps ``(N, B H)`` of ``q, k (N, B H, Y)``."""
    scores = edge_products.dots(q, k, edges).unflatten(1, (batch, -1))
    if mixing is not None:
        scores = scores @ mixing.into.to(scores.dtype)
    if weights is not None:
        scores = scores * weights.unsqueeze(1)
    p, lse = edge_products.softmax(scores.flatten(1), edges)
    return p.unflatten(1, (batch, -1)), lse


def _to_nodes(t: Tensor) -> Tensor:
    """``(B, H, N, ...) -> (N, B H, ...)``; of one sample no copy of what :func:`split_heads` gives."""
    return t.flatten(0, 1).transpose(0, 1)


def _from_nodes(t: Tensor, batch: int) -> Tensor:
    return t.transpose(0, 1).unflatten(0, (batch, -1))


def _scores(
    q: Tensor, k: Tensor, context: Context | None, include_self: bool, mixing: Mixing | None
) -> tuple[Tensor, Tensor]:
    """Scores with ``finfo.min`` where a pair is excluded, and their softmax with zeros there."""
    scores = at_least_float32(q @ k.transpose(-2, -1))
    if mixing is not None:
        scores = torch.einsum("bhcd,ho->bocd", scores, mixing.into.to(scores.dtype))
    if context is not None and context.weights is not None:
        scores = scores * _over_heads(context.weights)
    allowed = _allowed(scores, context, include_self)
    if allowed is None:
        return scores, scores.softmax(dim=-1)
    scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    return scores, scores.softmax(dim=-1) * allowed


def _allowed(scores: Tensor, context: Context | None, include_self: bool) -> Tensor | None:
    """Which pairs count, broadcastable to the scores; None when all do."""
    n = scores.shape[-1]
    allowed = None if include_self else ~torch.eye(n, dtype=torch.bool, device=scores.device)[None, None]
    masks = [] if context is None else [context.pairs, context.tokens]
    if masks and masks[0] is not None:
        pairs = _over_heads(masks[0])
        allowed = pairs if allowed is None else allowed & pairs
    if masks and masks[1] is not None:
        both = masks[1][:, None, :, None] & masks[1][:, None, None, :]
        allowed = both if allowed is None else allowed & both
    return allowed


def _over_heads(t: Tensor) -> Tensor:
    """``(N, N)``, ``(B, N, N)`` or ``(B, H, N, N)`` to four dimensions."""
    return t if t.ndim == 4 else t.unsqueeze(-3) if t.ndim == 3 else t[None, None]
