"""Energy Transformer on the nodes of one graph, all of them at once."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from attractor.bench.sides.common import Pass, Spec, counted, device_mb, forward, prepare, train, versions
from attractor.energy import Edges
from attractor.models import NodeET, NodeETConfig

__all__ = ["device_mb", "operations", "passes", "versions"]


def passes(spec: Spec) -> dict[str, Pass]:
    """``forward``: logits of every node; ``train``: a step on all of them."""
    device = prepare(spec)
    with np.load(spec["file"], allow_pickle=False) as file:
        x, y, index = (torch.from_numpy(file[name]) for name in ("x", "y", "edge_index"))
    sizes = {name: spec[name] for name in ("dim", "heads", "head_dim", "memories", "steps", "step_size")}
    config = NodeETConfig(x.shape[1], **sizes, dropout=0, classes=2)
    edges = (Edges.build(index, len(x), self_loops=False).to(device),)
    frozen, learner = (NodeET(config).to(device) for _ in range(2))
    frozen.eval()
    x, y = x.to(device), y.to(device)
    return {
        "forward": forward(lambda: frozen(x, edges), spec, device),
        "train": train(list(learner.parameters()), lambda: F.cross_entropy(learner(x, edges).float(), y), spec, device),
    }


def operations(spec: Spec) -> dict[str, float]:
    """Of the matrix products; along edges time goes with the memory that is read."""
    return counted(passes, spec)
