"""Energy Transformer on images: hidden patches are filled in by the descent of all tokens on one energy."""

from __future__ import annotations

import math
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, cos, nn, sin

from attractor.dynamics import Rule, Trace, descend_blocks
from attractor.energy import Context, EnergyAttention, HopfieldMemory
from attractor.energy.ops import Linear
from attractor.energy.ops.precision import at_least_float32
from attractor.errors import InputError
from attractor.models.config import ImageETConfig
from attractor.models.energy_block import EnergyBlock
from attractor.models.patches import patchify, unpatchify
from attractor.models.pixels import ImageModel

INIT_STD = 0.02
AMPLITUDE, SLOWEST = 2.0, 20.0  # of the position waves: larger than a patch's own token; patches a radian


def plane_waves(grid: tuple[int, int], dim: int) -> Tensor:
    """Position embeddings at the start, ``(1 + N, dim)``: waves along both axes, 0 for the CLS token.

    Neighbours are alike, which attention with ``W_Q = W_K`` turns into a local average: the descent in-paints a
    little before it has learned anything, and learns several times as fast as from random positions.
    """
    axes = torch.meshgrid(*(torch.arange(length, dtype=torch.float32) for length in grid), indexing="ij")
    frequencies = SLOWEST ** -torch.linspace(0, 1, math.ceil(dim / 4))  # from 1 radian a patch down
    waves = [f(at.unsqueeze(-1) * frequencies) for at in axes for f in (sin, cos)]
    return AMPLITUDE * F.pad(torch.cat(waves, dim=-1).flatten(0, 1)[:, :dim], (0, 0, 1, 0))


class ImageET(ImageModel):
    r"""In-painting by descent: patches to tokens, T steps down the energy in each block, tokens back to patches::

        x_0 = [CLS; W_enc patch + b or MASK where hidden] + positions
        x  <- x - alpha dE/dg,   g = LN(x),   T times in every block
        out = W_dec LN(x) + b

    Inputs are normalised images ``(B, C, H, W)`` (see :meth:`normalize`) with sides that the patch divides; positions
    are interpolated for a grid other than the configured one. ``hidden (B, N)`` is True where a patch is not given.
    Nothing is drawn at random in any mode. Raises :class:`InputError` on other shapes.
    Source: Energy Transformer (Hoover et al. 2023), section 3.
    """

    def __init__(self, config: ImageETConfig):
        super().__init__(config.channels)
        self.config = config
        pixels = config.channels * config.patch**2
        self.encoder = Linear(pixels, config.dim)
        self.cls_token = nn.Parameter(torch.randn(config.dim) * INIT_STD)
        self.mask_token = nn.Parameter(torch.randn(config.dim) * INIT_STD)
        self.positions = nn.Parameter(plane_waves(config.grid, config.dim))
        self.blocks = nn.ModuleList(_block(config) for _ in range(config.blocks))
        self.readout = nn.LayerNorm(config.dim, eps=config.readout_eps) if config.readout == "layer" else None
        self.decoder = Linear(config.dim, pixels)

    @property
    def descents(self) -> list[EnergyBlock]:
        """The blocks in their order."""
        return [cast(EnergyBlock, block) for block in self.blocks]

    def grid(self, images: Tensor) -> tuple[int, int]:
        """Rows and columns of patches; raises :class:`InputError` where the patch does not divide the image."""
        p, channels = self.config.patch, self.config.channels
        if images.ndim != 4 or images.shape[1] != channels or images.shape[2] % p or images.shape[3] % p:
            raise InputError(
                f"images of shape {tuple(images.shape)} given, this model takes (B, {channels}, H, W) with H and W "
                f"multiples of {p}; crop or resize them"
            )
        return images.shape[2] // p, images.shape[3] // p

    def positions_on(self, grid: tuple[int, int]) -> Tensor:
        """Position embeddings ``(1 + N, D)`` of a grid, bicubically interpolated from the learned one."""
        if grid == self.config.grid:
            return self.positions
        learned = self.positions[1:].T.unflatten(1, self.config.grid)[None]
        resized = F.interpolate(learned, grid, mode="bicubic", align_corners=False)
        return torch.cat([self.positions[:1], resized[0].flatten(1).T])

    def tokens(self, images: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Where the descent starts, ``(B, 1 + N, D)``, the CLS token first."""
        grid = self.grid(images)
        x = at_least_float32(self.encoder(patchify(images, self.config.patch)))
        if hidden is not None:
            if hidden.shape != x.shape[:2] or hidden.dtype != torch.bool:
                raise InputError(
                    f"hidden must be bool {tuple(x.shape[:2])}, one a patch, not {hidden.dtype} {tuple(hidden.shape)}"
                )
            x = torch.where(hidden.unsqueeze(-1), self.mask_token, x)
        return torch.cat([self.cls_token.expand(x.shape[0], 1, -1), x], dim=1) + self.positions_on(grid)

    def evolve(
        self,
        x: Tensor,
        rule: str | Rule = "fixed",
        trace: bool | Literal["tokens"] = False,
        *,
        steps: int | None = None,
        step_size: float | None = None,
        context: Context | None = None,
    ) -> tuple[Tensor, list[Trace]]:
        """The descent of the tokens through every block, and each block's trace when asked for.

        ``steps`` and ``step_size`` are those of every block, the configured ones unless given; ``context`` is what
        the energies see beside the tokens.
        """
        return descend_blocks(
            [(block.energy, block.norm) for block in self.descents],
            x,
            steps=self.config.steps if steps is None else steps,
            step_size=self.config.step_size if step_size is None else step_size,
            rule=rule,
            trace=trace,
            context=context,
        )

    def read(self, x: Tensor) -> Tensor:
        """Patches as tokens at any step of the last block show them, ``(B, 1 + N, D) -> (B, N, C p p)``."""
        x = x[:, 1:]
        if self.readout is not None:
            return self.decoder(self.readout(x))
        norm = self.descents[-1].norm
        g = norm(norm(x)) if self.config.readout == "norm-twice" else norm(x)
        return self.decoder(g)

    def forward(self, images: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Patches after the descent, ``(B, N, C p p)``; :func:`~attractor.models.patches.unpatchify` paints them."""
        return self.read(self.evolve(self.tokens(images, hidden))[0])

    def inpaint(self, images: Tensor, hidden: Tensor) -> Tensor:
        """The images with their hidden patches filled in and every other pixel as given, ``(B, C, H, W)``."""
        patches = torch.where(hidden.unsqueeze(-1), self(images, hidden).float(), patchify(images, self.config.patch))
        return unpatchify(patches, self.grid(images), self.config.patch)


def _block(config: ImageETConfig) -> EnergyBlock:
    attention = EnergyAttention(
        config.dim,
        config.heads,
        config.head_dim,
        beta=config.beta,
        bias=config.attention_bias,
        include_self=config.include_self,
    )
    memory = HopfieldMemory(config.dim, config.memories, activation=config.activation, bias=config.memory_bias)
    return EnergyBlock(config.dim, attention, memory)
