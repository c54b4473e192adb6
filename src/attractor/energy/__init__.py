"""Energies on tokens: each file is one energy, its equation and its closed form side by side."""

from attractor.energy.gloeba import GloebaAttention, Territory

__all__ = ["GloebaAttention", "Territory"]
