"""The hot loops behind the energies; which one runs is decided in this folder and nowhere else."""

from attractor.energy.ops.alignment import Surroundings, align
from attractor.energy.ops.attention import merge_heads, softmax_attention, split_heads
from attractor.energy.ops.attention_force import Heads, attend, attention_maps, queries_keys
from attractor.energy.ops.linear_maps import Linear, linear
from attractor.energy.ops.memory_force import memory_force
from attractor.energy.ops.recomputing import recomputed

__all__ = [
    "Heads",
    "Linear",
    "Surroundings",
    "align",
    "attend",
    "attention_maps",
    "linear",
    "memory_force",
    "merge_heads",
    "queries_keys",
    "recomputed",
    "softmax_attention",
    "split_heads",
]
