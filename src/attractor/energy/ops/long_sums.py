"""Sums of many tokens in compiled loops: run by run, for float32 drops what is small beside a sum that has grown."""

from __future__ import annotations

from attractor.energy.ops.compiling import compiled

RUN = 256  # terms that are added up one after another; what runs come to is added up in float64


@compiled
def move(a, b):
    """``b + a`` as ``b``, and zeros as ``a``."""
    b += a
    a[:] = 0
