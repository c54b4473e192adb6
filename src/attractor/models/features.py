"""What is read off the network for scoring, from one pass over a batch of views."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.models.config import SelyneConfig
from attractor.models.selyne import Selyne


class Features(NamedTuple):
    """Per view, all float32.

    ``latent (V, L)``: z. ``levels (V, blocks, 2 D)``: mean and deviation over the patch tokens of every block.
    ``patches (V, N, 2 D)``: patch tokens of two blocks, at the finest scale. In both every token has mean 0 and
    variance 1. ``free_energy (V, blocks * heads)``: mean free energy of the tokens. ``images``, ``reconstruction
    (V, C, H, W)``: normalised, the input and what the decoder makes of it.
    """

    latent: Tensor
    levels: Tensor
    patches: Tensor
    free_energy: Tensor
    images: Tensor
    reconstruction: Tensor


def patch_blocks(model: Selyne) -> tuple[int, int]:
    """The two blocks whose patch tokens are compared: after a third and after two thirds of the depth."""
    depth = model.config.depth
    return max(0, depth // 3 - 1), max(0, 2 * depth // 3 - 1)


def finest_patches(model: Selyne, hidden: Tensor) -> Tensor:
    """Patch tokens of the finest scale, each of mean 0 and variance 1, ``(V, 1 + N, D) -> (V, n, D)``."""
    counts = [rows * columns for rows, columns in model.config.grids]
    start = 1 + sum(counts[: model.config.finest])
    tokens = hidden[:, start : start + counts[model.config.finest]].float()
    return F.layer_norm(tokens, tokens.shape[-1:])


def patch_tokens(model: Selyne, hidden: list[Tensor]) -> Tensor:
    """Patch tokens that are compared, from every block's output ``(V, 1 + N, D)`` to ``(V, n, 2 D)``."""
    return torch.cat([finest_patches(model, hidden[block]) for block in patch_blocks(model)], dim=-1)


def level(hidden: Tensor) -> Tensor:
    """Mean and deviation over the patch tokens of one block's output, ``(V, 1 + N, D) -> (V, 2 D)``.

    Each token is of mean 0 and variance 1 before.
    """
    tokens = F.layer_norm(hidden[:, 1:].float(), hidden.shape[-1:])
    return torch.cat([tokens.mean(dim=1), tokens.std(dim=1, correction=0)], dim=-1)


def width(field: str, config: SelyneConfig) -> int:
    """Length of the last axis of one of the :class:`Features`."""
    widths = {
        "latent": config.latent,
        "levels": 2 * config.dim,
        "patches": 2 * config.dim,
        "free_energy": config.depth * config.heads,
    }
    return widths[field]


def extract(model: Selyne, images: Tensor) -> Features:
    """Features of normalised views ``(V, C, H, W)``."""
    encoding = model.encode(images)
    if model.config.attention == "gloeba":
        free_energy = model.free_energy(images, encoding).mean(dim=-1).flatten(1)
    else:
        free_energy = images.new_zeros(images.shape[0], 0)
    return Features(
        latent=encoding.z.float(),
        levels=torch.stack([level(block) for block in encoding.hidden], dim=1),
        patches=patch_tokens(model, encoding.hidden),
        free_energy=free_energy.float(),
        images=images,
        reconstruction=model.decode(encoding).float(),
    )
