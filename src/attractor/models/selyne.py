"""SELYNE: a Gloeba encoder with prototypes and a latent head, a decoder that repaints the image, a classifier."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.energy import GloebaAttention
from attractor.energy.ops import Linear
from attractor.errors import InputError
from attractor.models.attention import CrossAttention, PrototypeAttention, StandardAttention
from attractor.models.blocks import Block
from attractor.models.config import SelyneConfig
from attractor.models.patches import PatchEmbedding, paint
from attractor.models.pixels import ImageModel


class Encoding(NamedTuple):
    """What the encoder makes of a batch.

    ``z (B, L)``, ``cls (B, D)``, ``patches (B, N, D)``, and what every block gave, ``hidden[l] (B, 1 + N, D)`` with
    the CLS token first.
    """

    z: Tensor
    cls: Tensor
    patches: Tensor
    hidden: list[Tensor]


def make_block(config: SelyneConfig) -> Block:
    """One pre-norm block with the configured attention."""
    attention: GloebaAttention | StandardAttention
    if config.attention == "gloeba":
        attention = GloebaAttention(config.dim, config.heads, normalize_keys=config.normalize_keys)
    else:
        attention = StandardAttention(config.dim, config.heads)
    return Block(config.dim, attention, config.mlp_ratio, config.dropout)


def drop_patches(patches: Tensor, keep: float) -> Tensor:
    """A random share ``keep`` of every image's patches, at least one, ``(B, N, D) -> (B, round(keep N), D)``."""
    order = torch.rand(patches.shape[:2], device=patches.device).argsort(dim=1)
    kept = order[:, : max(1, round(keep * patches.shape[1])), None]
    return patches.gather(1, kept.expand(-1, -1, patches.shape[2]))


class Decoder(nn.Module):
    """Repaints an image from its latent and the encoder's patch tokens; ``(B, L), (B, N, D) -> (B, C, H, W)``.

    ``x = queries + positions + a * T z + t z``, then cross-attention to the patches, Gloeba blocks, and a linear
    map to pixels; ``T`` is one linear map per token, ``t`` one for all, ``a`` a learned scalar.
    """

    def __init__(self, config: SelyneConfig):
        super().__init__()
        self.patch, self.grid = config.patch_sizes[config.finest], config.grids[config.finest]
        tokens, dim = math.prod(self.grid), config.dim
        self.decoder_queries = nn.Parameter(torch.randn(1, tokens, dim) * 0.02)
        self.positional_embedding = nn.Parameter(torch.randn(1, tokens, dim) * 0.02)
        self.adaptive_weight = nn.Parameter(torch.ones(1))
        self.latent_projector = Linear(config.latent, dim)
        depth = config.depth if config.decoder_depth is None else config.decoder_depth
        self.transformer_blocks = nn.ModuleList(make_block(config) for _ in range(depth))
        self.final_layer_norm = nn.LayerNorm(dim)
        self.patch_to_pixels = nn.Sequential(Linear(dim, self.patch**2 * config.channels))
        self.token_specific_latent = Linear(config.latent, tokens * dim)
        self.cross_attn_norm_q = nn.LayerNorm(dim)
        self.cross_attn_norm_kv = nn.LayerNorm(dim)
        self.cross_attention = CrossAttention(dim, config.heads)

    def forward(self, z: Tensor, patches: Tensor) -> Tensor:
        """``(B, L), (B, N, D) -> (B, C, H, W)``."""
        per_token = self.token_specific_latent(z).unflatten(-1, self.decoder_queries.shape[1:])
        x = self.decoder_queries + self.positional_embedding + self.adaptive_weight * per_token
        x = x + self.latent_projector(z)[:, None]
        x = x + self.cross_attention(self.cross_attn_norm_q(x), self.cross_attn_norm_kv(patches))
        for block in self.transformer_blocks:
            x = block(x)
        return paint(self.patch_to_pixels(self.final_layer_norm(x)), self.grid, self.patch)


class Selyne(ImageModel):
    """Stable-energy Lyapunov net: image to latent ``z``, reconstruction and class logits.

    Inputs are normalised images ``(B, C, H, W)`` of the configured size (see :meth:`normalize`); any other shape
    raises :class:`InputError`. Parameter names are the published ones, so a published state dict loads as it is.
    Source: SELYNE (Suleymanoglu 2026).
    """

    def __init__(self, config: SelyneConfig):
        super().__init__(config.channels)
        self.config = config
        dim, tokens = config.dim, config.tokens
        self.patch_embed = PatchEmbedding(config)
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.global_pos = nn.Parameter(torch.randn(1, 1 + tokens, dim) * 0.02)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(make_block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(dim)
        self.proto_attn = PrototypeAttention(dim, config.heads, config.prototypes)
        summary = dim * (1 + config.prototypes)
        self.encoder_head = nn.Sequential(
            nn.LayerNorm(summary),
            Linear(summary, dim),
            nn.GELU(),
            Linear(dim, config.latent),
            nn.LayerNorm(config.latent),
        )
        self.decoder = Decoder(config)
        self.classifier = Linear(config.latent, config.classes)
        self.proto_log_tau = nn.Parameter(torch.tensor(0.1).log())

    def require_fit(self, images: Tensor) -> None:
        """Raise :class:`InputError` unless ``images`` are ``(B, C, H, W)`` of the configured size."""
        expected = (self.config.channels, *self.config.image_size)
        if images.ndim != 4 or images.shape[1:] != expected:
            takes = ", ".join(map(str, expected))
            raise InputError(f"images of shape {tuple(images.shape)} given, this model takes (B, {takes}); resize them")

    def encode(self, images: Tensor, keep: float = 1.0) -> Encoding:
        """Latent, CLS, patch tokens and every block's output of normalised images ``(B, C, H, W)``.

        With ``keep < 1`` each image goes on with that share of its patches, drawn at random: training at that share
        of the cost. Source: PatchDropout (Liu et al. 2022).
        """
        self.require_fit(images)
        cls = self.cls_token.expand(images.shape[0], -1, -1)
        x = self.dropout(torch.cat([cls, self.patch_embed(images)], dim=1) + self.global_pos)
        if keep < 1:
            x = torch.cat([x[:, :1], drop_patches(x[:, 1:], keep)], dim=1)
        hidden = []
        for block in self.blocks:
            x = block(x)
            hidden.append(x)
        x = self.norm(x)
        cls, patches = x[:, 0], x[:, 1:]
        prototypes = self.proto_attn(patches)  # (B, P, D)
        z = self.encoder_head(torch.cat([cls, prototypes.flatten(1)], dim=-1))
        return Encoding(z, cls, patches, hidden)

    def decode(self, encoding: Encoding) -> Tensor:
        """Reconstruction ``(B, C, H, W)`` in normalised pixels."""
        return self.decoder(encoding.z, encoding.patches)

    def prototype_logits(self, z: Tensor) -> Tensor:
        """``cos(z, w_c) / tau`` with the classifier's rows as class prototypes, ``(B, L) -> (B, classes)``."""
        tau = self.proto_log_tau.exp().clamp(0.01, 1.0)
        return F.normalize(z, dim=-1) @ F.normalize(self.classifier.weight, dim=-1).T / tau

    def free_energy(self, images: Tensor, encoding: Encoding) -> Tensor:
        """Free energy of every token in every block and head, ``(B, blocks, H, 1 + N)``; Gloeba attention only."""
        if self.config.attention != "gloeba":
            raise InputError("free energy needs attention 'gloeba'; this model was built with 'standard'")
        cls = self.cls_token.expand(images.shape[0], -1, -1)
        embedded = torch.cat([cls, self.patch_embed(images)], dim=1) + self.global_pos
        inputs = [embedded, *encoding.hidden[:-1]]
        pairs = zip(self.blocks, inputs, strict=True)
        return torch.stack([block.attn.free_energy(block.norm1(x)) for block, x in pairs], dim=1)  # type: ignore[union-attr, operator]

    def forward(self, images: Tensor) -> tuple[Encoding, Tensor, Tensor]:
        """Encoding, reconstruction ``(B, C, H, W)`` and class logits ``(B, classes)``."""
        encoding = self.encode(images)
        return encoding, self.decode(encoding), self.classifier(encoding.z)
