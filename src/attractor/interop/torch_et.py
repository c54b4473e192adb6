"""The published PyTorch Energy Transformer for CIFAR: its state dict, and ours."""

from __future__ import annotations

import torch

from attractor.errors import InputError
from attractor.interop.image_et import configure
from attractor.interop.sizes import Tensors, count, read_sizes, require_names
from attractor.models import ImageETConfig

NAMES = ("encode.0.", "decode.0.", "decode.1.", "pos.weight")
SHAPES = {
    "encode.0.weight": "DP",
    "encode.0.bias": "D",
    "cls": "11D",
    "mask": "11D",
    "pos.weight": "1ND",
    "decode.0.weight": "D",
    "decode.0.bias": "D",
    "decode.1.weight": "PD",
    "decode.1.bias": "P",
}
BLOCK = {"0.gamma": "1", "0.bias": "D", "1.attn.wq": "HYD", "1.attn.wk": "HYD", "1.hn.proj.weight": "MD"}
ATTENTION_BIAS = {"1.attn.bq": "Y", "1.attn.bk": "Y"}  # shared by the heads
MEMORY_BIAS = {"1.hn.proj.bias": "M"}


def read(
    source: str,
    tensors: Tensors,
    *,
    image_size: tuple[int, int] | None = None,
    steps: int | None = None,
    step_size: float | None = None,
    beta: float | None = None,
) -> tuple[ImageETConfig, Tensors]:
    """Sizes and weights; the read-out's epsilon is the token width. What does not fit raises :class:`InputError`."""
    blocks = max(1, count(tensors, "blocks."))
    attention_bias, memory_bias = (any(n.endswith(end) for n in tensors) for end in (".attn.bq", ".hn.proj.bias"))
    block = BLOCK | (ATTENTION_BIAS if attention_bias else {}) | (MEMORY_BIAS if memory_bias else {})
    shapes = SHAPES | {f"blocks.{i}.{name}": letters for i in range(blocks) for name, letters in block.items()}
    require_names(source, tensors, shapes)
    sizes = read_sizes(source, tensors, shapes)
    if steps is None or step_size is None:
        raise InputError(
            f"{source} does not say how its tokens descend; set steps and step_size as in its training "
            "(published models: 10 to 12 steps of 1 to 10)"
        )
    config = configure(
        source,
        sizes,
        image_size,
        blocks=blocks,
        steps=steps,
        step_size=step_size,
        beta=beta,
        attention_bias=attention_bias,
        memory_bias=memory_bias,
        readout="layer",
        readout_eps=float(sizes["D"]),
    )
    return config, _rename(tensors, config)


def _rename(tensors: Tensors, config: ImageETConfig) -> Tensors:
    ours = {
        "encoder.weight": tensors["encode.0.weight"],
        "encoder.bias": tensors["encode.0.bias"],
        "readout.weight": tensors["decode.0.weight"],
        "readout.bias": tensors["decode.0.bias"],
        "decoder.weight": tensors["decode.1.weight"],
        "decoder.bias": tensors["decode.1.bias"],
        "cls_token": tensors["cls"].flatten(),
        "mask_token": tensors["mask"].flatten(),
        "positions": tensors["pos.weight"][0],
    }
    for i in range(config.blocks):
        own = {name.removeprefix(f"blocks.{i}."): t for name, t in tensors.items() if name.startswith(f"blocks.{i}.")}
        ours |= {f"blocks.{i}.{name}": t for name, t in _rename_block(own, config).items()}
    return ours


def _rename_block(own: Tensors, config: ImageETConfig) -> Tensors:
    ours = {
        "norm.gamma": own["0.gamma"].reshape(()),
        "norm.delta": own["0.bias"],
        "energy.terms.0.W": torch.stack([own["1.attn.wq"], own["1.attn.wk"]]),
        "energy.terms.1.xi": own["1.hn.proj.weight"],
    }
    if config.attention_bias:
        bias = torch.stack([own["1.attn.bq"], own["1.attn.bk"]])  # (2, Y)
        ours["energy.terms.0.bias"] = bias.unsqueeze(1).expand(-1, config.heads, -1)
    if config.memory_bias:
        ours["energy.terms.1.bias"] = own["1.hn.proj.bias"]
    return ours
