"""The published JAX Energy Transformer for ImageNet: its array names, and ours."""

from __future__ import annotations

import torch
from torch import Tensor

from attractor.interop.image_et import configure
from attractor.interop.sizes import Tensors, read_sizes, require_names
from attractor.models import ImageETConfig

NAMES = ("LNORM_", "POS_embed", "Wenc", "Wdec", "Xi")
SHAPES = {
    "Wq": "HYD",
    "Wk": "HYD",
    "Xi": "DM",
    "Wenc": "PD",
    "Benc": "D",
    "Wdec": "DP",
    "Bdec": "P",
    "LNORM_gamma": "",
    "LNORM_bias": "D",
    "CLS_token": "D",
    "MASK_token": "D",
    "POS_embed": "ND",
}


def read(
    source: str,
    tensors: Tensors,
    *,
    image_size: tuple[int, int] | None = None,
    steps: int = 12,
    step_size: float = 0.1,
    beta: float | None = None,
) -> tuple[ImageETConfig, Tensors]:
    """Sizes and weights; the decoder reads the norm of the norm. What does not fit raises :class:`InputError`."""
    require_names(source, tensors, SHAPES)
    tensors = {name: _without_ones(t, len(SHAPES[name])) for name, t in tensors.items()}
    sizes = read_sizes(source, tensors, SHAPES)
    descent = {"steps": steps, "step_size": step_size, "beta": beta}
    return configure(source, sizes, image_size, readout="norm-twice", **descent), _rename(tensors)


def _without_ones(t: Tensor, ndim: int) -> Tensor:
    """A scalar saved as ``(1,)`` and a token saved as ``(1, D)`` are what they are."""
    while t.ndim > ndim and len(t) == 1:
        t = t[0]
    return t


def _rename(tensors: Tensors) -> Tensors:
    return {
        "encoder.weight": tensors["Wenc"].T,
        "encoder.bias": tensors["Benc"],
        "decoder.weight": tensors["Wdec"].T,
        "decoder.bias": tensors["Bdec"],
        "cls_token": tensors["CLS_token"],
        "mask_token": tensors["MASK_token"],
        "positions": tensors["POS_embed"],
        "blocks.0.norm.gamma": tensors["LNORM_gamma"],
        "blocks.0.norm.delta": tensors["LNORM_bias"],
        "blocks.0.energy.terms.0.W": torch.stack([tensors["Wq"], tensors["Wk"]]),
        "blocks.0.energy.terms.1.xi": tensors["Xi"].T,
    }
