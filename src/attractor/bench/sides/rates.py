"""What the machine can do: large matrix products in either precision, and copying memory."""

from __future__ import annotations

from functools import partial

import torch

from attractor.bench.sides.common import Pass, Spec, device_mb, finish, prepare, versions
from attractor.energy.ops import linear

__all__ = ["device_mb", "operations", "passes", "versions"]

SIDE, NUMBERS = 2048, 2**26  # of a square matrix, and of float32 copied


def passes(spec: Spec) -> dict[str, Pass]:
    """``float32`` and ``bfloat16``: a product of two matrices; ``copy``: 256 MB."""
    device = prepare(spec)
    made: dict[str, Pass] = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.randn(SIDE, SIDE, device=device).to(dtype)
        made[str(dtype).removeprefix("torch.")] = _done(partial(linear, a, a), device)
    source = torch.ones(NUMBERS, device=device)
    target = torch.empty_like(source)
    made["copy"] = _done(lambda: target.copy_(source), device)
    return made


def operations(spec: Spec) -> dict[str, float]:
    """Of the products; of the copy the bytes read and written."""
    return {"float32": 2.0 * SIDE**3, "bfloat16": 2.0 * SIDE**3, "copy": 8.0 * NUMBERS}


def _done(run: Pass, device: torch.device) -> Pass:
    def once() -> None:
        run()
        finish(device)

    return once
