"""The force of a Hopfield memory; which of the ways to it is taken is decided here."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from attractor.energy.ops.linear_maps import linear
from attractor.energy.ops.passes.passed import passed
from attractor.energy.ops.passes.rectified import ReluMemory
from attractor.energy.ops.recomputing import recomputed


def memory_force(
    g: Tensor, xi: Tensor, bias: Tensor | None, slope: Callable[[Tensor], Tensor], rectified: bool
) -> Tensor:
    """``slope(g xi^T + bias) xi``, ``g (N, D) -> (N, D)``, ``xi (M, D)``, ``bias (M,)``.

    By one compiled pass where the slope is ``rectified``, relu that is, and there is one for such tokens, else a few
    tokens at a time.
    """
    if rectified and bias is None and ReluMemory.takes(g, xi):
        return passed(ReluMemory(), g, xi)[0]
    own = [xi] if bias is None else [xi, bias]
    return recomputed(lambda _, *operands: (slope(linear(*operands)),), g, [xi], own)
