"""Networks trained on graphs: how large, how long and how fast."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from attractor.data.graphs.packed import Encoder
from attractor.models import GraphET, GraphETConfig
from attractor.training.graph_summaries import GraphSummaries
from attractor.training.graphs import GraphLabels, Graphs
from attractor.training.loop import History, train
from attractor.training.schedule import Schedule
from attractor.training.seeding import seeded

WEIGHT_DECAY = 0.05
WARMUP = 0.1  # share of the epochs


def model_config(encoder: Encoder, classes: int, dim: int, blocks: int) -> GraphETConfig:
    """Sizes of a network that reads what the encoder makes of graphs."""
    return GraphETConfig(
        encoder.features,
        encoder.positions,
        encoder.links,
        classes,
        eigenvectors=encoder.eigenvectors,
        dim=dim,
        memories=4 * dim,
        blocks=blocks,
    )


def make_schedule(epochs: int, lr: float, batch_size: int, seed: int) -> Schedule:
    """AdamW with weight decay 0.05, a warm-up and a cosine, as published."""
    return Schedule(
        epochs, batch_size, lr, WEIGHT_DECAY, warmup_epochs=WARMUP * epochs, clip=1.0, precision="fp32", seed=seed
    )


def train_member(
    graphs: Graphs, y: Tensor | None, config: GraphETConfig, schedule: Schedule, folder: Path | None, resume: bool
) -> tuple[GraphET, History]:
    """The network of the best epoch, in evaluation mode, and a row an epoch; without ``y`` on the graphs' summaries."""
    with seeded(schedule.seed):
        model = GraphET(config)
    model.fit_scales(graphs.packed.batch(graphs.train))
    model = model.to(graphs.device)
    objective = GraphSummaries(graphs, model) if y is None else GraphLabels(graphs, y, model)
    history = train(objective, schedule, folder, resume)
    return objective.best.eval(), history
