"""Pre-norm transformer block: attention, then a GELU MLP."""

from __future__ import annotations

from torch import Tensor, nn

from attractor.energy import GloebaAttention
from attractor.energy.ops import Linear
from attractor.models.attention import StandardAttention


class Block(nn.Module):
    """``x + attn(norm1 x)``, then ``x + ffn(norm2 x)``; ``(B, N, D) -> (B, N, D)``."""

    def __init__(self, dim: int, attention: GloebaAttention | StandardAttention, mlp_ratio: float, dropout: float):
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.norm1 = nn.LayerNorm(dim)
        self.attn = attention
        self.norm2 = nn.LayerNorm(dim)
        self.ffn = nn.Sequential(
            Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), Linear(hidden, dim), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, N, D) -> (B, N, D)``."""
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))
