"""One energy, attention plus memory, read through one norm: what networks that descend are made of."""

from __future__ import annotations

from typing import cast

from torch import nn

from attractor.energy import EnergyAttention, EnergyLayerNorm, HopfieldMemory


class EnergyBlock(nn.Module):
    """``E = E_attention(g) + E_memory(g)`` at ``g = LN(x)``; the network is its descent."""

    def __init__(self, dim: int, attention: EnergyAttention, memory: HopfieldMemory):
        super().__init__()
        self.norm = EnergyLayerNorm(dim)
        self.energy = attention + memory

    @property
    def attention(self) -> EnergyAttention:
        """The first of the two energies."""
        return cast(EnergyAttention, self.energy.terms[0])

    @property
    def memory(self) -> HopfieldMemory:
        """The second."""
        return cast(HopfieldMemory, self.energy.terms[1])
