"""Energy attention: tokens drawn together by the log-sum-exp of their scores, queries and keys both moving."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.energy.base import Context, Energy, real_tokens, require_positive, require_sizes
from attractor.energy.edges import Edges
from attractor.energy.ops import Alignment, Mixing, align, attention_map, linear, merge_heads, recomputed, split_heads
from attractor.energy.ops.eager import is_transformed
from attractor.energy.ops.passes.all_pairs import AllPairs
from attractor.energy.ops.passes.all_pairs import takes as takes_all_pairs
from attractor.energy.ops.passes.along_edges import AlongEdges
from attractor.energy.ops.passes.along_edges import takes as takes_pieces
from attractor.energy.ops.passes.lanes import LANES
from attractor.energy.ops.passes.passed import passed


class EnergyAttention(Energy):
    r"""Attention energy over tokens, with ``q = W_Q g``, ``k = W_K g`` (plus biases) per head::

        S_CB   = beta_h w_CB q_C . k_B                P = softmax_B(S)
        E      = -sum_h 1/beta_h sum_C logsumexp_B S_CB
        -dE/dg_A = sum_h W_Q^T (sum_B P_AB w_AB k_B) + W_K^T (sum_C P_CA w_CA q_C)

    With ``mix_heads`` heads share their scores by a matrix ``M (H, H)``, the identity at first::

        S_oCB  = beta_o w_CB sum_h M_ho q_hC . k_hB   and above  sum_o M_ho P_oCB  in the place of  P_hCB

    B runs over the tokens and pairs that the :class:`Context` leaves, without C itself unless ``include_self``; a
    token that sees nobody adds nothing. ``w`` are the context's weights, 1 without. ``beta`` is ``1/sqrt(Y)`` unless
    given; with ``learn_beta`` it is one number a head, ``(H, 1, 1)``, that starts there and must stay off 0, where E is
    singular. Weights are stacked: ``W (2, H, Y, D)`` holds ``W_Q, W_K``; they start equal, so that alike tokens attend
    to each other from the first step. Where the context has ``edges``, B runs over the neighbours of C in the graph
    number ``relation``, C itself if it has a self-loop. Shapes: ``g (B, N, D)``, energies ``(B,)``. Raises
    :class:`InputError` on a size that is no whole number above 0, a beta that is not positive, and on ``g`` or a mask
    of the wrong shape.
    Source: Energy Transformer (Hoover et al. 2023), equation 3; published code and checkpoints ``include_self``.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        head_dim: int,
        *,
        beta: float | None = None,
        learn_beta: bool = False,
        bias: bool = False,
        include_self: bool = False,
        mix_heads: bool = False,
        relation: int = 0,
    ):
        super().__init__()
        require_sizes(dim=dim, heads=heads, head_dim=head_dim)
        require_positive(beta=1 if beta is None else beta)
        self.heads, self.include_self, self.relation = heads, include_self, relation
        tied = torch.randn(heads, head_dim, dim) / math.sqrt(dim)
        self.W = nn.Parameter(torch.stack([tied, tied]))
        self.bias = nn.Parameter(torch.zeros(2, heads, head_dim)) if bias else None
        fixed = 1 / math.sqrt(head_dim) if beta is None else beta  # a Python float: exact in every precision
        self.beta = nn.Parameter(torch.full((heads, 1, 1), fixed)) if learn_beta else fixed
        self.M = nn.Parameter(torch.eye(heads)) if mix_heads else None

    def queries_keys(self, g: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """``beta q`` and ``k``, both ``(B, H, N, Y)``; ``q`` of mixed heads."""
        g = real_tokens(g, self.W.shape[-1], context)
        if context is not None:
            context.check_pairs(g.shape[0], self.heads, g.shape[1])
        biases = (None, None) if self.bias is None else self.bias.flatten(1)
        q, k = (split_heads(linear(g, w, b), self.heads) for w, b in zip(self.W.flatten(1, 2), biases, strict=True))
        return (q if self.M is not None else (q * self.beta).to(q.dtype)), k

    def per_token(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``-sum_h 1/beta_h logsumexp_B S_CB`` of every token C, ``(B, N, D) -> (B, N)``."""
        return self.per_head(g, context).sum(dim=1)

    def per_head(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``-1/beta_h logsumexp_B S_CB`` of every token C and head, ``(B, N, D) -> (B, H, N)``."""
        passed = self._passed(g, context, energy=True, force=False)
        return self._per_head(self._align(g, context).lse if passed is None else passed[0])

    def force(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``sum_h W_Q^T (P k) + W_K^T (P^T q)``, like ``g``."""
        passed = self._passed(g, context, energy=False)
        if passed is not None:
            return passed[1]
        by_head = not torch.is_grad_enabled() and not is_transformed()
        if context is not None and context.edges and self._is_plain(context) and by_head:
            return self._force_by_head(g, context.relation(self.relation, g.shape[1]))
        if self.M is None and (context is None or context.all_pairs):
            return self._dense_force(g, context)
        return self._force(g, self._align(g, context))

    def evaluate(self, g: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Energy and force from one set of scores."""
        passed = self._passed(g, context, energy=True)
        if passed is None:
            aligned = self._align(g, context)
            passed = aligned.lse, self._force(g, aligned)
        return self._per_head(passed[0]).sum(dim=(1, 2)), passed[1]

    def maps(self, g: Tensor, context: Context | None = None) -> Tensor:
        """The attention ``P`` itself, for pictures; ``(B, N, D) -> (B, H, N, N)``, rows of lonely tokens 0.

        Along edges ``(B, H, E)``, in the order of their ``indices``.
        """
        q, k = self.queries_keys(g, context)
        return attention_map(q, k, **self._surroundings(g, context))

    def extra_repr(self) -> str:
        """Sizes and settings, for ``repr``."""
        _, heads, head_dim, dim = self.W.shape
        beta = "learnt" if isinstance(self.beta, Tensor) else f"{self.beta:g}"
        flags = f"bias={self.bias is not None}, include_self={self.include_self}, mix_heads={self.M is not None}"
        return f"{dim}, {heads}, {head_dim}, beta={beta}, {flags}"

    def _passed(
        self, g: Tensor, context: Context | None, energy: bool, force: bool = True
    ) -> tuple[Tensor, Tensor] | None:
        """``lse (B, H, N)`` and force by one compiled pass over the tokens, where there is one for such."""
        g = real_tokens(g, self.W.shape[-1], context)
        if context is not None and context.edges:
            return self._passed_along(g, context, energy) if force and self.bias is None else None
        if self.M is not None or (context is not None and not context.all_pairs):
            return None
        w: Tensor = self.W
        dim = g.shape[-1]
        if self.bias is not None:  # the weight of a further number, which is 1
            g = F.pad(F.pad(g, (0, 1), value=1), (0, LANES - 1))
            w = F.pad(torch.cat([w, self.bias.unsqueeze(-1)], dim=-1), (0, LANES - 1))
        if not takes_all_pairs(g, w):
            return None
        lse, pull = passed(AllPairs(context, self.include_self, energy, force), g, w, self._betas(g))
        return lse, pull[..., :dim]

    def _passed_along(self, g: Tensor, context: Context, energy: bool) -> tuple[Tensor, Tensor] | None:
        """The same along edges."""
        context.check_pairs(g.shape[0], self.heads, g.shape[1])
        edges, weights = context.relation(self.relation, g.shape[1]), context.relation_weights(self.relation)
        weights = self.W.new_ones(1, 1) if weights is None else weights
        if len(g) != 1 or not takes_pieces(g[0], self.W, weights, edges):
            return None
        back = torch.eye(self.heads) if self.M is None else self.M
        operands = g[0], self.W, back * self._betas(g), back, weights.expand(edges.count, self.heads)
        lse, force = passed(AlongEdges(edges, energy), *operands)
        return lse.T.unsqueeze(0), force.unsqueeze(0)

    def _betas(self, g: Tensor) -> Tensor:
        return self.beta.flatten() if isinstance(self.beta, Tensor) else g.new_full((self.heads,), self.beta)

    def _align(self, g: Tensor, context: Context | None) -> Alignment:
        q, k = self.queries_keys(g, context)
        return align(q, k, **self._surroundings(g, context))

    def _is_plain(self, context: Context) -> bool:
        return self.M is None and context.weights is None

    def _surroundings(self, g: Tensor, context: Context | None) -> dict[str, Any]:
        """Who sees whom and how well, by a mask or along edges, and how heads share it."""
        mixing = None
        if self.M is not None:
            beta = self.beta.flatten() if isinstance(self.beta, Tensor) else self.beta
            mixing = Mixing(self.M * beta, self.M)
        if context is None or not context.edges:
            return {"context": context, "include_self": self.include_self, "mixing": mixing}
        edges = context.relation(self.relation, g.shape[1])
        return {"edges": edges, "weights": context.relation_weights(self.relation), "mixing": mixing}

    def _per_head(self, lse: Tensor) -> Tensor:
        return -(lse.unsqueeze(-1) / self.beta).squeeze(-1)

    def _force(self, g: Tensor, aligned: Alignment) -> Tensor:
        pull = aligned.pull if self.M is not None else (aligned.pull / self.beta).to(aligned.pull.dtype)
        wq, wk = self.W.flatten(1, 2)
        force = linear(merge_heads(aligned.mix), wq.T).to(g.dtype)
        return force + linear(merge_heads(pull), wk.T)

    def _dense_force(self, g: Tensor, context: Context | None) -> Tensor:
        """The same, of tokens that all see each other; beta folded into the weights."""
        g = real_tokens(g, self.W.shape[-1], context)
        tokens = None if context is None or context.tokens is None else context.tokens.expand(g.shape[:2])

        def parts(at: slice, g: Tensor, *into: Tensor) -> tuple[Tensor, Tensor]:
            w, b = into[:2], into[2:] or (None, None)
            q, k = (split_heads(linear(g, *own), self.heads) for own in zip(w, b, strict=True))
            around = None if tokens is None else Context(tokens=tokens[at])
            aligned = align(q, k, around, self.include_self, energy=False)
            return merge_heads(aligned.mix), merge_heads(aligned.pull)

        wq, wk = self.W
        into = [(wq * self.beta).flatten(0, 1), wk.flatten(0, 1)]
        if self.bias is not None:
            bq, bk = self.bias.unsqueeze(-1)
            into += [(bq * self.beta).flatten(), bk.flatten()]
        return recomputed(parts, g, [wq.flatten(0, 1), (wk / self.beta).flatten(0, 1)], into)

    def _force_by_head(self, g: Tensor, edges: Edges) -> Tensor:
        """The same, of a graph that may be large: one head at a time, and beta folded into the weights."""
        g = real_tokens(g, self.W.shape[-1], None)
        force = torch.zeros_like(g)
        for head in range(self.heads):
            beta = self.beta[head, 0, 0] if isinstance(self.beta, Tensor) else self.beta
            wq, wk = self.W[:, head].to(g.dtype)
            bq, bk = (None, None) if self.bias is None else self.bias[:, head].to(g.dtype)
            q = linear(g, wq * beta, bq if bq is None else bq * beta)
            k = linear(g, wk, bk)
            aligned = align(q.unsqueeze(1), k.unsqueeze(1), edges=edges)
            force.flatten(0, 1).addmm_(aligned.mix.to(g.dtype).flatten(0, 2), wq)
            force.flatten(0, 1).addmm_(aligned.pull.to(g.dtype).flatten(0, 2), wk / beta)
            del q, k, aligned  # before the next head's are made
        return force
