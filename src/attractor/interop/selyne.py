"""The published SELYNE, whose names ours has kept: only its sizes must be found."""

from __future__ import annotations

from typing import Any

import torch

from attractor.errors import InputError
from attractor.interop.sizes import Tensors, count, read_image_size, read_patch, read_sizes, require_names
from attractor.models import Selyne, SelyneConfig

NAMES = ("patch_embed.", "proto_attn.", "encoder_head.", "decoder.transformer_blocks.")
SHAPES = {
    "proto_attn.prototypes": "1PD",
    "classifier.weight": "KL",
    "blocks.0.ffn.0.weight": "FD",
}


def read(
    source: str, tensors: Tensors, *, image_size: tuple[int, int] | None = None, heads: int | None = None
) -> tuple[SelyneConfig, Tensors]:
    """Sizes and weights; ``heads`` only where attention is standard. What does not fit raises :class:`InputError`."""
    scales = max(1, count(tensors, "patch_embed.embeds."))
    layout: dict[str, Any] = {
        "depth": max(1, count(tensors, "blocks.")),
        "decoder_depth": max(1, count(tensors, "decoder.transformer_blocks.")),
        "attention": "gloeba" if any(name.endswith(".attn.M") for name in tensors) else "standard",
    }
    require_names(source, tensors, _names(scales, layout))
    sizes = read_sizes(source, tensors, SHAPES)
    grids = [read_sizes(source, tensors, _embedding(i)) for i in range(scales)]
    patches = [read_patch(source, grid["P"]) for grid in grids]
    config = SelyneConfig(
        image_size=read_image_size(source, grids[0]["N"], patches[0][1], image_size),
        channels=patches[0][0],
        patch_sizes=tuple(patch for _, patch in patches),
        dim=sizes["D"],
        latent=sizes["L"],
        heads=_heads(source, tensors, layout["attention"], heads),
        prototypes=sizes["P"],
        mlp_ratio=sizes["F"] / sizes["D"],
        classes=sizes["K"],
        **layout,
    )
    return config, tensors


def _embedding(scale: int) -> dict[str, str]:
    return {f"patch_embed.embeds.{scale}.0.weight": "DP", f"patch_embed.pos_embeds.{scale}": "1ND"}


def _heads(source: str, tensors: Tensors, attention: str, given: int | None) -> int:
    """Gloeba has a matrix a head; standard attention leaves no trace of how many it had."""
    if attention == "standard" and given is None:
        raise InputError(f"{source} has standard attention, which does not show its heads; set heads (published: 8)")
    if attention == "gloeba" and given is not None:
        raise InputError(f"{source} says itself how many heads it has; leave out heads")
    return given or read_sizes(source, tensors, {"blocks.0.attn.M": "HYY"})["H"]


def _names(scales: int, layout: dict[str, Any]) -> list[str]:
    """The names of a SELYNE of this layout: those of the smallest one."""
    smallest = SelyneConfig(
        image_size=(1, 1), patch_sizes=(1,) * scales, dim=1, latent=1, heads=1, prototypes=1, classes=1, **layout
    )
    with torch.device("meta"):
        return list(Selyne(smallest).state_dict())
