"""Published checkpoints in."""

from attractor.interop.conversion import convert

__all__ = ["convert"]
