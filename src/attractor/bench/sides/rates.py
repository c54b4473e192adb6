"""What the machine can do: large matrix products in each of the ``precisions`` asked for, and copying memory."""

from __future__ import annotations

from functools import partial

import torch

from attractor.bench.sides.common import Pass, Spec, device_mb, finish, prepare, versions
from attractor.energy.ops import linear

__all__ = ["device_mb", "operations", "passes", "versions"]

SIDE, NUMBERS = 2048, 2**26  # of a square matrix, and of float32 copied


def passes(spec: Spec) -> dict[str, Pass]:
    """By the name of a precision a product of two matrices; ``copy``: 256 MB."""
    device = prepare(spec)
    made: dict[str, Pass] = {}
    for precision in spec["precisions"]:
        a = torch.randn(SIDE, SIDE, device=device).to(getattr(torch, precision))
        made[precision] = _done(partial(linear, a, a), device)
    source = torch.ones(NUMBERS, device=device)
    target = torch.empty_like(source)
    made["copy"] = _done(lambda: target.copy_(source), device)
    return made


def operations(spec: Spec) -> dict[str, float]:
    """Of the products; of the copy the bytes read and written."""
    return {**dict.fromkeys(spec["precisions"], 2.0 * SIDE**3), "copy": 8.0 * NUMBERS}


def _done(run: Pass, device: torch.device) -> Pass:
    def once() -> None:
        run()
        finish(device)

    return once
