"""One network trained on graphs: how long and how fast."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from attractor.models import GraphET, GraphETConfig
from attractor.training.graphs import GraphLabels, Graphs
from attractor.training.loop import History, Schedule, seed_everything, train

WEIGHT_DECAY = 0.05
WARMUP = 0.1  # share of the epochs


def make_schedule(epochs: int, lr: float, batch_size: int, seed: int) -> Schedule:
    """AdamW with weight decay 0.05, a warm-up and a cosine, as published."""
    return Schedule(
        epochs, batch_size, lr, WEIGHT_DECAY, warmup_epochs=WARMUP * epochs, clip=1.0, precision="fp32", seed=seed
    )


def train_member(
    graphs: Graphs, y: Tensor, config: GraphETConfig, schedule: Schedule, folder: Path | None, resume: bool
) -> tuple[GraphET, History]:
    """The network of the best epoch, in evaluation mode, and a row an epoch."""
    seed_everything(schedule.seed)
    model = GraphET(config)
    model.fit_scales(graphs.packed.batch(graphs.train))
    objective = GraphLabels(graphs, y, model.to(graphs.device))
    history = train(objective, schedule, folder, resume)
    return objective.best.eval(), history
