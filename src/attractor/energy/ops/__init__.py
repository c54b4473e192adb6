"""The hot loops behind the energies; which one runs is decided here and nowhere else."""

from attractor.energy.ops.alignment import Alignment, Mixing, align, attention_map
from attractor.energy.ops.attention import merge_heads, softmax_attention, split_heads
from attractor.energy.ops.linear_maps import Linear, linear
from attractor.energy.ops.recomputing import recomputed

__all__ = [
    "Alignment",
    "Linear",
    "Mixing",
    "align",
    "attention_map",
    "linear",
    "merge_heads",
    "recomputed",
    "softmax_attention",
    "split_heads",
]
