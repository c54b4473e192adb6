"""What is read off the network for scoring, from one pass over a batch of views."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.models.selyne import Encoding, Selyne


class Features(NamedTuple):
    """Per view, all float32.

    ``latent (V, L)``: z. ``pooled (V, 2 D)``: mean and spread over the patches of the last block. ``patches (V, N, 2
    D)``: patch tokens of two middle blocks, at the finest scale. ``free_energy (V, blocks * heads)``: mean free energy
    of the tokens. ``images``, ``reconstruction (V, C, H, W)``: normalised, the input and what the decoder makes of it.
    """

    latent: Tensor
    pooled: Tensor
    patches: Tensor
    free_energy: Tensor
    images: Tensor
    reconstruction: Tensor


def patch_blocks(model: Selyne) -> tuple[int, int]:
    """The two blocks whose patch tokens are compared: after a third and after two thirds of the depth."""
    depth = model.config.depth
    return max(0, depth // 3 - 1), max(0, 2 * depth // 3 - 1)


def finest_patches(model: Selyne, hidden: Tensor) -> Tensor:
    """Patch tokens of the finest scale, each normalised to zero mean and unit variance, ``(V, 1 + N, D) -> (V, n, D)``."""
    counts = [rows * columns for rows, columns in model.config.grids]
    start = 1 + sum(counts[: model.config.finest])
    tokens = hidden[:, start : start + counts[model.config.finest]].float()
    return F.layer_norm(tokens, tokens.shape[-1:])
