"""Images to patch tokens at several scales, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attractor.energy.ops import Linear
from attractor.models.config import SelyneConfig


def patchify(images: Tensor, patch: int) -> Tensor:
    """``(B, C, H, W) -> (B, N, C p p)``, patches in raster order, each flattened as (C, p, p)."""
    tiles = images.unfold(2, patch, patch).unfold(3, patch, patch)  # (B, C, rows, columns, p, p)
    return tiles.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def unpatchify(patches: Tensor, grid: tuple[int, int], patch: int) -> Tensor:
    """``(B, N, C p p) -> (B, C, H, W)``: what :func:`patchify` took apart."""
    tiles = patches.unflatten(1, grid).unflatten(-1, (-1, patch, patch))  # (B, rows, columns, C, p, p)
    return tiles.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def paint(pixels: Tensor, grid: tuple[int, int], patch: int) -> Tensor:
    """``(B, N, p p C) -> (B, C, H, W)``; a decoder's patch is flattened as (p, p, C)."""
    tiles = pixels.unflatten(1, grid).unflatten(-1, (patch, patch, -1))  # (B, rows, columns, p, p, C)
    return tiles.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


class PatchEmbedding(nn.Module):
    """Linear patch embeddings of every scale, normalised, positioned, concatenated; ``(B, C, H, W) -> (B, N, D)``."""

    def __init__(self, config: SelyneConfig):
        super().__init__()
        self.patch_sizes = config.patch_sizes
        self.embeds = nn.ModuleList(
            nn.Sequential(Linear(config.channels * p * p, config.dim), nn.LayerNorm(config.dim))
            for p in config.patch_sizes
        )
        self.pos_embeds = nn.ParameterList(
            nn.Parameter(torch.randn(1, rows * columns, config.dim) * 0.02) for rows, columns in config.grids
        )

    def forward(self, images: Tensor) -> Tensor:
        """``(B, C, H, W) -> (B, N, D)``, the scales in the order of ``patch_sizes``."""
        scales = zip(self.patch_sizes, self.embeds, self.pos_embeds, strict=True)
        return torch.cat([embed(patchify(images, p)) + position for p, embed, position in scales], dim=1)
