"""The hot loops behind the energies; which one runs is decided here and nowhere else."""

from attractor.energy.ops.alignment import Alignment, Mixing, align, attention_map
from attractor.energy.ops.attention import merge_heads, softmax_attention, split_heads

__all__ = ["Alignment", "Mixing", "align", "attention_map", "merge_heads", "softmax_attention", "split_heads"]
