"""The hot loops behind the energies; which one runs is decided here and nowhere else."""

from attractor.energy.ops.attention import merge_heads, softmax_attention, split_heads

__all__ = ["merge_heads", "softmax_attention", "split_heads"]
