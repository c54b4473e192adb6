"""Energy attention: tokens drawn together by the log-sum-exp of their scores, queries and keys both moving."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.energy.base import Context, Energy
from attractor.energy.ops import Alignment, align, attention_map, merge_heads, split_heads

INIT_STD = 0.002


class EnergyAttention(Energy):
    r"""Attention energy over dense tokens, with ``q = W_Q g``, ``k = W_K g`` (plus biases) per head::

        S_CB   = beta_h w_CB q_C . k_B                P = softmax_B(S)
        E      = -sum_h 1/beta_h sum_C logsumexp_B S_CB
        -dE/dg_A = sum_h W_Q^T (sum_B P_AB w_AB k_B) + W_K^T (sum_C P_CA w_CA q_C)

    B runs over the tokens and pairs that the :class:`Context` leaves, without C itself unless ``include_self``; a
    token that sees nobody adds nothing. ``w`` are the context's weights, 1 without. ``beta`` is ``1/sqrt(Y)`` unless
    given, or one learnable number a head, ``(H, 1, 1)``, from there on. Weights are stacked: ``W (2, H, Y, D)`` holds ``W_Q, W_K``.
    Shapes: ``g (B, N, D)``, energies ``(B,)``. Source: Energy Transformer (Hoover et al. 2023), equation 3.
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
    ):
        super().__init__()
        self.heads, self.include_self = heads, include_self
        self.W = nn.Parameter(torch.randn(2, heads, head_dim, dim) * INIT_STD)
        self.bias = nn.Parameter(torch.zeros(2, heads, head_dim)) if bias else None
        fixed = 1 / math.sqrt(head_dim) if beta is None else beta  # a Python float: exact in every precision
        self.beta = nn.Parameter(torch.full((heads, 1, 1), fixed)) if learn_beta else fixed

    def queries_keys(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """``beta q`` and ``k``, both ``(B, H, N, Y)``: one product with the stacked weights."""
        bias = None if self.bias is None else self.bias.flatten()
        q, k = F.linear(g, self.W.flatten(0, 2), bias).chunk(2, dim=-1)
        q, k = split_heads(q, self.heads), split_heads(k, self.heads)
        return (q * self.beta).to(q.dtype), k

    def energy(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``-sum_h 1/beta_h sum_C logsumexp_B S_CB``, ``(B, N, D) -> (B,)``."""
        return self._energy(self._align(g, context))

    def force(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``sum_h W_Q^T (P k) + W_K^T (P^T q)``, like ``g``."""
        return self._force(g, self._align(g, context))

    def evaluate(self, g: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Energy and force from one set of scores."""
        aligned = self._align(g, context)
        return self._energy(aligned), self._force(g, aligned)

    def maps(self, g: Tensor, context: Context | None = None) -> Tensor:
        """The attention ``P`` itself, for pictures; ``(B, N, D) -> (B, H, N, N)``, rows of lonely tokens 0."""
        return attention_map(*self.queries_keys(g), context, self.include_self)

    def _align(self, g: Tensor, context: Context | None) -> Alignment:
        q, k = self.queries_keys(g)
        return align(q, k, context, self.include_self)

    def _energy(self, aligned: Alignment) -> Tensor:
        return -(aligned.lse.unsqueeze(-1) / self.beta).sum(dim=(1, 2, 3))

    def _force(self, g: Tensor, aligned: Alignment) -> Tensor:
        pull = (aligned.pull / self.beta).to(aligned.pull.dtype)
        both = torch.cat([merge_heads(aligned.mix), merge_heads(pull)], dim=-1)
        return F.linear(both, self.W.flatten(0, 2).T).to(g.dtype)
