"""One network trained on the nodes of a graph: how long, how fast, on the whole of it or on samples."""

from __future__ import annotations

import math
from pathlib import Path

from torch import Tensor

from attractor.energy import Edges
from attractor.models import NodeET, NodeETConfig
from attractor.training.loop import History, train
from attractor.training.nodes import HiddenFeatures, Labels, Nodes
from attractor.training.schedule import Schedule
from attractor.training.seeding import seeded

WHOLE = 10_000_000  # nodes and edges of a graph up to which every step takes all of it
STEPS, EPOCHS = 120, 5  # by default as many epochs as make so many steps, and at least so many
VALIDATE_EVERY = 3  # epochs of one step each
WEIGHT_DECAY = 1e-3
WARMUP = 0.1  # share of the epochs


def is_large(edges: tuple[Edges, ...]) -> bool:
    """Whether training takes samples of the graph unless told otherwise."""
    return edges[0].nodes + sum(relation.count for relation in edges) > WHOLE


def make_schedule(nodes: Nodes, epochs: int | None, lr: float, batch_size: int, seed: int) -> Schedule:
    """One step an epoch on the whole graph, one for every ``batch_size`` training nodes with a sampler."""
    size = len(nodes.train) if nodes.sampler is None else batch_size
    epochs = epochs or max(EPOCHS, math.ceil(STEPS / math.ceil(len(nodes.train) / size)))
    return Schedule(
        epochs,
        size,
        lr,
        WEIGHT_DECAY,
        warmup_epochs=WARMUP * epochs,
        clip=1.0,
        precision="fp32",
        seed=seed,
        validate_every=VALIDATE_EVERY if nodes.sampler is None else 1,
    )


def train_member(
    nodes: Nodes, y: Tensor | None, config: NodeETConfig, schedule: Schedule, folder: Path | None, resume: bool
) -> tuple[NodeET, History]:
    """The network of the best epoch, in evaluation mode, and a row an epoch; without ``y`` on hidden features."""
    with seeded(schedule.seed):
        model = NodeET(config).to(nodes.x.device)
    model.standardize.fit(nodes.x)
    objective = HiddenFeatures(nodes, model) if y is None else Labels(nodes, y, model)
    history = train(objective, schedule, folder, resume)
    return objective.best.eval(), history
