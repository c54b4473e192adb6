"""Energy Transformer on whole graphs: logits of a batch, and a training step; the batch is cut anew in each."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from attractor.bench.sides.common import Pass, Spec, counted, device_mb, forward, prepare, train, versions
from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.data.graphs.packed import Encoder
from attractor.models import GraphET, GraphETConfig

__all__ = ["device_mb", "operations", "passes", "versions"]

SIZES = ("dim", "heads", "head_dim", "memories", "blocks", "steps", "step_size")


def passes(spec: Spec) -> dict[str, Pass]:
    """``forward`` without noise; ``train`` with noise 0.02 and labels smoothed by 0.05, as published."""
    device = prepare(spec)
    with np.load(spec["file"], allow_pickle=False) as file:
        sizes, edges, x, y = (file[name] for name in ("sizes", "edges", "x", "y"))
    sizes, edges, x = (torch.from_numpy(a) for a in (sizes, edges, x))
    classes = Categories.of(y.tolist())
    graphs = GraphSet.build(sizes, edges, x, y=classes, name="bench")
    encoder = Encoder.of(graphs, eigenvectors=spec["positions"])
    packed, codes = encoder.encode(graphs), classes.codes.to(device)
    known = {name: getattr(encoder, name) for name in ("features", "positions", "links", "eigenvectors")}
    config = GraphETConfig(**known, **{name: spec[name] for name in SIZES}, noise=0.02, dropout=0, classes=2)
    frozen, learner = (GraphET(config).to(device) for _ in range(2))
    frozen.eval()

    def logits(model: GraphET) -> torch.Tensor:
        return model(packed.batch(range(len(packed))).to(device))

    def loss() -> torch.Tensor:
        return F.cross_entropy(logits(learner).float(), codes, label_smoothing=0.05)

    return {
        "forward": forward(lambda: logits(frozen), spec, device),
        "train": train(list(learner.parameters()), loss, spec, device),
    }


def operations(spec: Spec) -> dict[str, float]:
    """Of the matrix products; what is summed along edges is a hundredth of them."""
    return counted(passes, spec)
