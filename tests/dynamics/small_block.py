"""A small random block: attention plus memory, and the norm they are read through."""

from __future__ import annotations

import torch

from attractor.energy import EnergyAttention, EnergyLayerNorm, EnergySum, HopfieldMemory

DIM, TOKENS, BATCH = 8, 5, 4


def small_block(std: float = 0.4, dtype: torch.dtype = torch.float64) -> tuple[EnergySum, EnergyLayerNorm]:
    """Weights of standard deviation ``std``, a gamma and delta that are not the initial ones."""
    energy, norm = EnergyAttention(DIM, 2, 4) + HopfieldMemory(DIM, 12), EnergyLayerNorm(DIM)
    with torch.no_grad():
        for p in energy.parameters():
            p.normal_(std=std)
        norm.gamma.fill_(1.3)
        norm.delta.normal_(std=0.5)
    return energy.to(dtype), norm.to(dtype)


def tokens(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Random tokens ``(B, N, D)``."""
    return torch.randn(BATCH, TOKENS, DIM, dtype=dtype)


def gradients(loss: torch.Tensor, *leaves: torch.Tensor) -> list[torch.Tensor]:
    """Gradients of a loss."""
    return list(torch.autograd.grad(loss, leaves))
