"""Energies on tokens: each file is one energy, its equation and its closed form side by side."""

from attractor.energy.attention import EnergyAttention
from attractor.energy.base import Energy, EnergySum
from attractor.energy.context import Context
from attractor.energy.edges import Edges
from attractor.energy.gloeba import GloebaAttention, Territory
from attractor.energy.memory import HopfieldMemory
from attractor.energy.norm import EnergyLayerNorm

__all__ = [
    "Context",
    "Edges",
    "Energy",
    "EnergyAttention",
    "EnergyLayerNorm",
    "EnergySum",
    "GloebaAttention",
    "HopfieldMemory",
    "Territory",
]
