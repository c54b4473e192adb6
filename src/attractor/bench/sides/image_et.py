"""Energy Transformer on tokens: the descent of attention and memory, and a training step through it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from attractor.bench.sides.common import Pass, Spec, device_mb, forward, prepare, train, versions
from attractor.dynamics import descend
from attractor.energy import EnergyAttention, EnergyLayerNorm, HopfieldMemory

__all__ = ["device_mb", "operations", "passes", "versions"]


def passes(spec: Spec) -> dict[str, Pass]:
    """``forward``: all steps of a batch; ``train``: loss the mean square of where the tokens end."""
    device = prepare(spec)
    norm = EnergyLayerNorm(spec["dim"]).to(device)
    attention = EnergyAttention(spec["dim"], spec["heads"], spec["head_dim"], include_self=True)
    energy = (attention + HopfieldMemory(spec["dim"], spec["memories"])).to(device)
    draw = np.random.default_rng(spec["seed"])  # as the published codes' sides do: the same tokens
    size = (spec["tokens"], spec["dim"])
    x = {
        name: torch.from_numpy(draw.standard_normal((batch, *size), dtype=np.float32)).to(device)
        for name, batch in spec["batch"].items()
    }

    def walk(x: Tensor) -> Tensor:
        return descend(energy, norm, x, steps=spec["steps"], step_size=spec["step_size"])[0]

    made: dict[str, Pass] = {}
    if "forward" in x:
        made["forward"] = forward(lambda: walk(x["forward"]), spec, device)
    if "train" in x:
        parameters = [*energy.parameters(), *norm.parameters()]
        made["train"] = train(parameters, lambda: walk(x["train"]).float().square().mean(), spec, device)
    return made


def operations(spec: Spec) -> dict[str, float]:
    """Of the matrix products, which no method can do without; a training step is three forward passes."""
    n, d, hy, m = spec["tokens"], spec["dim"], spec["heads"] * spec["head_dim"], spec["memories"]
    projections, scores, memories = 8 * n * d * hy, 6 * n * n * hy, 4 * n * d * m
    step = projections + scores + memories
    passes = {"forward": 1, "train": 3}
    return {name: float(passes[name] * batch * spec["steps"] * step) for name, batch in spec["batch"].items()}
