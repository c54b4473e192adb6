"""The attentions that are not energies: the untied baseline, prototypes, and the decoder's cross-attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attractor.energy.ops import Linear, linear, merge_heads, softmax_attention, split_heads


def multi_head(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """``softmax(q k^T / sqrt(Y)) v`` over heads, ``(B, N, D), (B, M, D), (B, M, D) -> (B, N, D)``."""
    q, k, v = split_heads(q, heads), split_heads(k, heads), split_heads(v, heads)
    return merge_heads(softmax_attention(q, k * q.shape[-1] ** -0.5, v))


class StandardAttention(nn.Module):
    """Untied scaled dot-product self-attention, the ablation beside Gloeba; ``(B, N, D) -> (B, N, D)``."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.W_q, self.W_k, self.W_v, self.proj = (Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, N, D) -> (B, N, D)``."""
        return self.proj(multi_head(self.W_q(x), self.W_k(x), self.W_v(x), self.heads))


class PrototypeAttention(nn.Module):
    """P learned queries that read a set of tokens; ``(B, N, D) -> (B, P, D)``."""

    def __init__(self, dim: int, heads: int, prototypes: int):
        super().__init__()
        self.heads = heads
        self.prototypes = nn.Parameter(torch.randn(1, prototypes, dim) * 0.02)
        self.q_proj = Linear(dim, dim)
        self.kv_proj = Linear(dim, 2 * dim)
        self.out_proj = Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, N, D) -> (B, P, D)``."""
        q = self.q_proj(self.prototypes).expand(tokens.shape[0], -1, -1)
        k, v = self.kv_proj(tokens).chunk(2, dim=-1)
        return self.out_proj(multi_head(q, k, v, self.heads))


class CrossAttention(nn.Module):
    """Queries from one set of tokens, keys and values from another; ``(B, N, D), (B, M, D) -> (B, N, D)``.

    The parameters carry the names of ``torch.nn.MultiheadAttention``, so its state dict loads.
    """

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(3 * dim, dim)))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """``(B, N, D), (B, M, D) -> (B, N, D)``."""
        dim = x.shape[-1]
        q = linear(x, self.in_proj_weight[:dim], self.in_proj_bias[:dim])
        k, v = linear(context, self.in_proj_weight[dim:], self.in_proj_bias[dim:]).chunk(2, dim=-1)
        return self.out_proj(multi_head(q, k, v, self.heads))
