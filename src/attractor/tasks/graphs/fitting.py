"""Networks trained on graphs: what may be asked for, how long and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from attractor.data.graphs.packed import Encoder
from attractor.errors import InputError
from attractor.models import GraphET, GraphETConfig
from attractor.training.graph_summaries import GraphSummaries
from attractor.training.graphs import GraphLabels, Graphs
from attractor.training.loop import History, Schedule, seed_everything, train

WEIGHT_DECAY = 0.05
WARMUP = 0.1  # share of the epochs
LEAST = {"epochs": 1, "batch_size": 1, "members": 1, "walks": 0, "eigenvectors": 0}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse with :class:`InputError` what cannot work before any work is done; sizes are the model's to refuse."""
    for name, least in LEAST.items():
        value = settings.get(name, least)
        if type(value) is not int or value < least:
            raise InputError(f"{name} is {value!r}; give a whole number of {least} or more")
    seed, lr = settings["seed"], settings["lr"]
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed!r}; give a whole number from 0 to {2**32 - 1}")
    if not isinstance(lr, (int, float)) or not 0 < lr < float("inf"):
        raise InputError(f"lr is {lr!r}; give a number above 0")


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
    seed_everything(schedule.seed)
    model = GraphET(config)
    model.fit_scales(graphs.packed.batch(graphs.train))
    model = model.to(graphs.device)
    objective = GraphSummaries(graphs, model) if y is None else GraphLabels(graphs, y, model)
    history = train(objective, schedule, folder, resume)
    return objective.best.eval(), history
