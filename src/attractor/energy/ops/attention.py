"""Softmax attention ``softmax(q k^T) v`` with every scale already folded into the keys."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# On CPUs the fused call's backward, and in bfloat16 its forward, take two to three times as long as explicit matrix
# products while the N x N scores of one head stay in cache; beyond so many scores a head, memory decides.
EXPLICIT_LIMIT = 256 * 256


def split_heads(x: Tensor, heads: int) -> Tensor:
    """``(B, N, H Y) -> (B, H, N, Y)``."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """``(B, H, N, Y) -> (B, N, H Y)``."""
    return x.transpose(1, 2).flatten(-2)


def explicit(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Two matrix products around a softmax; holds the ``(B, H, N, M)`` scores."""
    return (q @ k.transpose(-2, -1)).softmax(dim=-1).to(v.dtype) @ v


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The library's fused kernel; never holds the scores."""
    return F.scaled_dot_product_attention(q, k, v, scale=1.0)


def softmax_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of unscaled scores, ``softmax(q k^T) v``.

    Shapes: ``q (B, H, N, Y)``, ``k (B, H, M, Y)``, ``v (B, H, M, Y)`` -> ``(B, H, N, Y)``.
    """
    training = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad)
    small = q.shape[-2] * k.shape[-2] <= EXPLICIT_LIMIT
    pays = training or q.dtype == torch.bfloat16
    return explicit(q, k, v) if pays and small and q.device.type == "cpu" else fused(q, k, v)
