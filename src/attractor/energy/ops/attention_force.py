"""Energy attention from tokens to log-sum-exps and force; which of the ways there is taken is decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from attractor.energy.ops.alignment import Alignment, Mixing, Surroundings, align, attention_map
from attractor.energy.ops.attention import merge_heads, split_heads
from attractor.energy.ops.eager import is_transformed
from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.passes.all_pairs import AllPairs
from attractor.energy.ops.passes.along_edges import AlongEdges
from attractor.energy.ops.passes.passed import passed
from attractor.energy.ops.recomputing import recomputed

if TYPE_CHECKING:
    from attractor.energy.edges import Edges


class Heads(NamedTuple):
    """What makes scores of tokens: ``w (2, H, Y, D)`` and ``bias (2, H, Y)`` of queries and keys, and what scales them.

    ``beta`` is a number or ``(H, 1, 1)``; ``mix (H, H)`` is how heads share their scores, None where they do not.
    """

    w: Tensor
    bias: Tensor | None
    beta: Tensor | float
    mix: Tensor | None


def attend(
    g: Tensor, heads: Heads, around: Surroundings, energy: bool = True, force: bool = True
) -> tuple[Tensor, Tensor]:
    """``lse (B, H, N)`` and ``-dE/dg (B, N, D)`` of :class:`attractor.energy.EnergyAttention` for ``g (B, N, D)``.

    By one compiled pass over the tokens where there is one for such, else by alignment of queries and keys, of a few
    tokens or one head at a time where that will do. What is not asked for, ``energy`` or ``force``, is empty.
    """
    found = _by_one_pass(g, heads, around, energy, force)
    if found is not None:
        return found
    if not energy:
        return g.new_empty(0), _force(g, heads, around)
    aligned = _aligned(g, heads, around)
    return aligned.lse, _pulled(g, heads, aligned) if force else g.new_empty(0)


def queries_keys(g: Tensor, heads: Heads) -> tuple[Tensor, Tensor]:
    """``beta q`` and ``k``, both ``(B, H, N, Y)``; ``q`` of heads that share scores."""
    biases = (None, None) if heads.bias is None else heads.bias.flatten(1)
    pairs = zip(heads.w.flatten(1, 2), biases, strict=True)
    q, k = (split_heads(linear(g, *pair), heads.w.shape[1]) for pair in pairs)
    return (q if heads.mix is not None else (q * heads.beta).to(q.dtype)), k


def attention_maps(g: Tensor, heads: Heads, around: Surroundings) -> Tensor:
    """``P`` itself, ``(B, H, N, N)``; along edges ``(B, H, E)``."""
    return attention_map(*queries_keys(g, heads), around, _mixing(heads))


def _by_one_pass(
    g: Tensor, heads: Heads, around: Surroundings, energy: bool, force: bool
) -> tuple[Tensor, Tensor] | None:
    if around.edges is not None:
        return _by_pieces(g, heads, around.edges, around.weights, energy) if force and heads.bias is None else None
    if not _all_pairs(heads, around):
        return None
    x, w = (g, heads.w) if heads.bias is None else AllPairs.with_biases(g, heads.w, heads.bias)
    if not AllPairs.takes(x, w):
        return None
    lse, pull = passed(AllPairs(around.context, around.include_self, energy, force), x, w, _betas(g, heads))
    return lse, pull[..., : g.shape[-1]]


def _by_pieces(
    g: Tensor, heads: Heads, edges: Edges, weights: Tensor | None, energy: bool
) -> tuple[Tensor, Tensor] | None:
    """The same along edges."""
    weights = heads.w.new_ones(1, 1) if weights is None else weights
    if len(g) != 1 or not AlongEdges.takes(g[0], heads.w, weights, edges):
        return None
    count = heads.w.shape[1]
    back = torch.eye(count) if heads.mix is None else heads.mix
    operands = g[0], heads.w, back * _betas(g, heads), back, weights.expand(edges.count, count)
    lse, force = passed(AlongEdges(edges, energy), *operands)
    return lse.T.unsqueeze(0), force.unsqueeze(0)


def _all_pairs(heads: Heads, around: Surroundings) -> bool:
    """Whether all tokens that there are see each other alike, in heads that do not share their scores."""
    return heads.mix is None and around.edges is None and (around.context is None or around.context.all_pairs)


def _betas(g: Tensor, heads: Heads) -> Tensor:
    """One a head, ``(H,)``."""
    return heads.beta.flatten() if isinstance(heads.beta, Tensor) else g.new_full((heads.w.shape[1],), heads.beta)


def _mixing(heads: Heads) -> Mixing | None:
    if heads.mix is None:
        return None
    return Mixing(heads.mix * (heads.beta.flatten() if isinstance(heads.beta, Tensor) else heads.beta), heads.mix)


def _aligned(g: Tensor, heads: Heads, around: Surroundings) -> Alignment:
    return align(*queries_keys(g, heads), around, _mixing(heads))


def _pulled(g: Tensor, heads: Heads, aligned: Alignment) -> Tensor:
    """The force from what queries and keys come to."""
    pull = aligned.pull if heads.mix is not None else (aligned.pull / heads.beta).to(aligned.pull.dtype)
    wq, wk = heads.w.flatten(1, 2)
    force = linear(merge_heads(aligned.mix), wq.T).to(g.dtype)
    return force + linear(merge_heads(pull), wk.T)


def _force(g: Tensor, heads: Heads, around: Surroundings) -> Tensor:
    """The force alone."""
    alike = heads.mix is None and around.weights is None
    if around.edges is not None and alike and not torch.is_grad_enabled() and not is_transformed():
        return _force_by_head(g, heads, around.edges)
    if _all_pairs(heads, around):
        return _force_by_samples(g, heads, around)
    return _pulled(g, heads, _aligned(g, heads, around))


def _force_by_samples(g: Tensor, heads: Heads, around: Surroundings) -> Tensor:
    """Of tokens that all see each other, a few samples at a time; beta folded into the weights."""

    def parts(at: slice, g: Tensor, *into: Tensor) -> tuple[Tensor, Tensor]:
        w, b = into[:2], into[2:] or (None, None)
        q, k = (split_heads(linear(g, *own), heads.w.shape[1]) for own in zip(w, b, strict=True))
        context = None if around.context is None else around.context.rows(at)
        aligned = align(q, k, around._replace(context=context), energy=False)
        return merge_heads(aligned.mix), merge_heads(aligned.pull)

    wq, wk = heads.w
    into = [(wq * heads.beta).flatten(0, 1), wk.flatten(0, 1)]
    if heads.bias is not None:
        bq, bk = heads.bias.unsqueeze(-1)
        into += [(bq * heads.beta).flatten(), bk.flatten()]
    return recomputed(parts, g, [wq.flatten(0, 1), (wk / heads.beta).flatten(0, 1)], into)


def _force_by_head(g: Tensor, heads: Heads, edges: Edges) -> Tensor:
    """Of a graph that may be large, one head at a time; beta folded into the weights."""
    force = torch.zeros_like(g)
    for head in range(heads.w.shape[1]):
        beta = heads.beta[head, 0, 0] if isinstance(heads.beta, Tensor) else heads.beta
        wq, wk = heads.w[:, head].to(g.dtype)
        bq, bk = (None, None) if heads.bias is None else heads.bias[:, head].to(g.dtype)
        q = linear(g, wq * beta, bq if bq is None else bq * beta)
        k = linear(g, wk, bk)
        aligned = align(q.unsqueeze(1), k.unsqueeze(1), Surroundings(edges=edges))
        force.flatten(0, 1).addmm_(aligned.mix.to(g.dtype).flatten(0, 2), wq)
        force.flatten(0, 1).addmm_(aligned.pull.to(g.dtype).flatten(0, 2), wk / beta)
        del q, k, aligned  # before the next head's are made
    return force
