"""Energy attention: tokens drawn together by the log-sum-exp of their scores, queries and keys both moving."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from attractor.energy.base import Energy
from attractor.energy.checks import require_positive, require_sizes
from attractor.energy.context import Context, real_tokens
from attractor.energy.ops import Heads, Surroundings, attend, attention_maps, queries_keys


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
    of the wrong shape or ``g`` of another type than the weights.
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
        return queries_keys(self._tokens(g, context), self._heads)

    def per_token(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``-sum_h 1/beta_h logsumexp_B S_CB`` of every token C, ``(B, N, D) -> (B, N)``."""
        return self.per_head(g, context).sum(dim=1)

    def per_head(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``-1/beta_h logsumexp_B S_CB`` of every token C and head, ``(B, N, D) -> (B, H, N)``."""
        return self._per_head(self._attend(g, context, force=False)[0])

    def force(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``sum_h W_Q^T (P k) + W_K^T (P^T q)``, like ``g``."""
        return self._attend(g, context, energy=False)[1]

    def evaluate(self, g: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Energy and force from one set of scores."""
        lse, force = self._attend(g, context)
        return self._per_head(lse).sum(dim=(1, 2)), force

    def maps(self, g: Tensor, context: Context | None = None) -> Tensor:
        """The attention ``P`` itself, for pictures; ``(B, N, D) -> (B, H, N, N)``, rows of lonely tokens 0.

        Along edges ``(B, H, E)``, in the order of their ``indices``.
        """
        g = self._tokens(g, context)
        return attention_maps(g, self._heads, self._surroundings(g, context))

    def extra_repr(self) -> str:
        """Sizes and settings, for ``repr``."""
        _, heads, head_dim, dim = self.W.shape
        beta = "learnt" if isinstance(self.beta, Tensor) else f"{self.beta:g}"
        flags = f"bias={self.bias is not None}, include_self={self.include_self}, mix_heads={self.M is not None}"
        return f"{dim}, {heads}, {head_dim}, beta={beta}, {flags}"

    @property
    def _heads(self) -> Heads:
        return Heads(self.W, self.bias, self.beta, self.M)

    def _attend(
        self, g: Tensor, context: Context | None, energy: bool = True, force: bool = True
    ) -> tuple[Tensor, Tensor]:
        """``lse (B, H, N)`` and force."""
        g = self._tokens(g, context)
        return attend(g, self._heads, self._surroundings(g, context), energy, force)

    def _tokens(self, g: Tensor, context: Context | None) -> Tensor:
        g = real_tokens(g, self.W, context)
        if context is not None:
            context.check_pairs(g.shape[0], self.heads, g.shape[1])
        return g

    def _surroundings(self, g: Tensor, context: Context | None) -> Surroundings:
        """Who sees whom and how well, by a mask or along edges."""
        if context is None or not context.edges:
            return Surroundings(context, self.include_self)
        edges = context.relation(self.relation, g.shape[1])
        return Surroundings(edges=edges, weights=context.relation_weights(self.relation))

    def _per_head(self, lse: Tensor) -> Tensor:
        return -(lse.unsqueeze(-1) / self.beta).squeeze(-1)
