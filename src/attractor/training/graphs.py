"""Training on whole graphs: on their classes, and what any training on graphs shares."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.data.graphs.packed import PackedGraphs
from attractor.models import GraphBatch, GraphET
from attractor.models.store import fingerprint
from attractor.training.objective import Objective

LABEL_SMOOTHING = 0.05
AVERAGE = 0.99  # share of the running mean that a step keeps, once past the first steps
VALIDATION_TOKENS = 2**15  # of the graphs that are looked at together


@dataclass(frozen=True, eq=False)
class Graphs:
    """What is trained on: packed graphs, and which of them, by number, train and validate."""

    packed: PackedGraphs
    train: Tensor
    validation: Tensor
    device: torch.device

    def batch(self, indices: Tensor) -> GraphBatch:
        """The training graphs ``indices (B,)`` side by side."""
        return self.packed.batch(self.train[indices.cpu()]).to(self.device)


class GraphObjective(Objective):
    """What all trainings on graphs share: graphs, model, the running mean of its weights, the best (or last) such mean.

    With few graphs the weights after one step depend on that step's batch, and so would the choice of the epoch;
    therefore the exponential running mean is what is validated and kept. Source: Polyak and Juditsky 1992.
    """

    mean: GraphET
    best: GraphET
    best_figure: Tensor
    steps: Tensor

    def __init__(self, graphs: Graphs, model: GraphET, *labels: Tensor):
        super().__init__()
        self.graphs, self.model, self.examples = graphs, model, len(graphs.train)
        data = [graphs.packed.x, graphs.packed.neighbours, graphs.train, graphs.validation, *labels]
        self.settings = {"network": model.config.to_dict(), "data": fingerprint(data)}
        self.mean = copy.deepcopy(model).requires_grad_(False)  # parts of the module, hence of its checkpoints
        self.best = copy.deepcopy(self.mean)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("best_figure", torch.tensor(-torch.inf, dtype=torch.float64))

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the mean towards the weights."""
        self.steps += 1
        kept = min(AVERAGE, (1 + int(self.steps)) / (10 + int(self.steps)))
        for mean, weight in zip(self.mean.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - kept)

    def remember(self, figure: float) -> None:
        """Keep the mean if the figure is the highest so far."""
        if figure > self.best_figure:
            self.best_figure.fill_(figure)
            self.best.load_state_dict(self.mean.state_dict())

    def validate(self) -> dict[str, float]:
        """Nothing chooses: keep the mean as it is now."""
        self.best.load_state_dict(self.mean.state_dict())
        return {}


class GraphLabels(GraphObjective):
    """Cross-entropy of the classes ``y (G,)``, with label smoothing 0.05 as published.

    The best epoch is that of highest validation accuracy; where nothing validates it is the last.
    """

    def __init__(self, graphs: Graphs, y: Tensor, model: GraphET):
        super().__init__(graphs, model, y)
        self.y = y
        if len(graphs.validation):
            self.score = "val_choice"

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch of training graphs."""
        y = self.y[self.graphs.train[indices.cpu()]].to(indices.device)
        return F.cross_entropy(self.model(self.graphs.batch(indices)), y, label_smoothing=LABEL_SMOOTHING), {}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Accuracy and cross-entropy of the validation graphs; the former chooses, and between equals the latter."""
        graphs = self.graphs
        if not self.score:
            return super().validate()
        logits = torch.cat(
            [self.mean(part).float().cpu() for part in batches(graphs.packed, graphs.validation, graphs.device)]
        )
        y = self.y[graphs.validation]
        accuracy = float((logits.argmax(dim=1) == y).double().mean())
        loss = float(F.cross_entropy(logits, y))
        choice = accuracy - min(loss, 100) * 1e-6
        self.remember(choice)
        return {"val_accuracy": accuracy, "val_loss": loss, "val_choice": choice}


def batches(packed: PackedGraphs, graphs: Tensor, device: torch.device) -> list[GraphBatch]:
    """Some graphs in batches of bounded size, so that what is held does not grow with their number."""
    tokens = packed.ptr.diff()[graphs].cumsum(0)
    groups = torch.bincount(tokens // VALIDATION_TOKENS)
    return [packed.batch(part).to(device) for part in graphs.split(groups[groups > 0].tolist())]
