"""Training on the nodes of a graph: on labels, or on features that were hidden."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.data.graphs.sampler import NeighbourSampler, Sample
from attractor.energy import Edges
from attractor.models import NodeET
from attractor.models.store import fingerprint
from attractor.scoring.thresholds import best_threshold, node_metrics
from attractor.training.objective import Objective

PARTS = 4  # turns in which the features of a node are hidden
HASH = 0x9E3779B97F4A7C15 - 2**64  # 2^64 over the golden ratio (Knuth, volume 3, 6.4): mixes low bits into high ones
SPARSITY, CAUTION = 0.3, 1.0  # prices of a feature, and of what the descent adds, at one known anomaly
CLIP = 5.0  # standard deviations: one count in millions must not be all that is learnt


@dataclass(frozen=True, eq=False)
class Nodes:
    """What is trained on: raw features ``x (N, F)``, ``edges`` one a relation, and nodes by number.

    With a ``sampler`` a batch is a sample around its nodes, else the whole graph.
    """

    x: Tensor
    edges: tuple[Edges, ...]
    train: Tensor
    validation: Tensor
    sampler: NeighbourSampler | None = None

    def around(self, indices: Tensor) -> tuple[Tensor, tuple[Edges, ...], Tensor, Tensor]:
        """Features, edges, the numbers there of the training nodes ``indices (B,)``, and their numbers in the whole."""
        nodes = self.train[indices.cpu()]
        if self.sampler is None:
            return self.x, self.edges, nodes, nodes
        sample = self._sample(nodes)
        edges = tuple(relation.to(self.x.device) for relation in sample.edges)
        return self.x[sample.nodes], edges, torch.arange(sample.seeds), nodes

    def _sample(self, nodes: Tensor) -> Sample:
        assert self.sampler is not None
        return self.sampler.sample(nodes, int(torch.randint(2**62, ())))  # the generator that is checkpointed


class NodeObjective(Objective):
    """What both trainings share: the nodes, the model, and the best weights so far by the validation figure."""

    best: NodeET
    best_figure: Tensor

    def __init__(self, nodes: Nodes, model: NodeET, *labels: Tensor):
        super().__init__()
        self.nodes, self.model, self.examples = nodes, model, len(nodes.train)
        data = [nodes.x, nodes.train, nodes.validation, *(relation.indices for relation in nodes.edges), *labels]
        self.settings = {"network": model.config.to_dict(), "data": fingerprint(data)}
        self.best = copy.deepcopy(model).requires_grad_(False)  # a part of the module, hence of its checkpoints
        self.register_buffer("best_figure", torch.tensor(-torch.inf, dtype=torch.float64))

    def remember(self, figure: float) -> None:
        """Keep the weights if the figure is the highest so far."""
        if figure > self.best_figure:
            self.best_figure.fill_(figure)
            self.best.load_state_dict(self.model.state_dict())


class Labels(NodeObjective):
    r"""Cross-entropy on labelled nodes, plus a price on what the network uses, since few labels cannot tell chance from
    cause::

        loss = CE(weights normals / anomalies, as published)
               + SPARSITY / sqrt(m) sum_f ||W_f|| + CAUTION / m sum_d ||H_d||

    ``m`` counts the labels of the rarer class, ``W_f (D,)`` is what the embedding makes of feature f, and ``H_d (D,)``
    what the head makes of entry d of where the token ended. Both prices are group lassos, which switch off what does
    not pay; the second is large where hardly any anomaly is known and vanishes quickly as more are. ``y (N,)`` is 1
    anomalous, 0 normal for the nodes in training and validation, whatever elsewhere.
    Sources: Yuan and Lin 2006; the rate of the first, Negahban et al. 2012, section 4; of the second, our own trials.
    """

    score = "val_choice"
    weight: Tensor

    def __init__(self, nodes: Nodes, y: Tensor, model: NodeET):
        super().__init__(nodes, model, y)
        normal, anomalous = torch.bincount(y[nodes.train], minlength=2).tolist()
        self.y, self.rarer = y, min(normal, anomalous)
        self.register_buffer("weight", torch.tensor([1.0, normal / anomalous]), persistent=False)

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch of training nodes."""
        x, edges, at, nodes = self.nodes.around(indices)
        loss = F.cross_entropy(self.model(x, edges, at), self.y[nodes], self.weight)
        features, ends = (w.norm(dim=0).sum() for w in self.model.used())
        price = SPARSITY / math.sqrt(self.rarer) * features + CAUTION / self.rarer * ends
        return loss + price, {"cross_entropy": loss, "price": price}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """AUC, average precision and macro-F1 of the validation nodes, scored on the whole graph.

        The mean of AUC and macro-F1 chooses: the latter alone, as published, is a matter of few nodes.
        """
        p = self.model(self.nodes.x, self.nodes.edges, self.nodes.validation).softmax(dim=1)[:, 1].double().cpu()
        y = self.y[self.nodes.validation].cpu()
        figures = node_metrics(y, p, best_threshold(y, p))
        figures["choice"] = (figures["auc"] + figures["macro_f1"]) / 2
        self.remember(figures["choice"])
        return {f"val_{name}": value for name, value in figures.items()}


class HiddenFeatures(NodeObjective):
    """Mean squared error of standardised features that were hidden, of each node another share of them."""

    score = "val_hidden"

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch of training nodes."""
        x, edges, at, _ = self.nodes.around(indices)
        hidden = torch.rand_like(x) < torch.rand_like(x[:, :1])
        error = hidden_error(self.model, x, edges, hidden)[at]
        return error.sum() / hidden[at].sum().clamp(min=1), {}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Minus the mean error of the validation nodes, so that higher is better, in the first turn alone."""
        x, edges, nodes = self.nodes.x, self.nodes.edges, self.nodes.validation
        hidden = turns(x) == 0
        figure = -float(hidden_error(self.model, x, edges, hidden)[nodes].sum() / hidden[nodes].sum().clamp(min=1))
        self.remember(figure)
        return {"val_hidden": figure}


def hidden_error(model: NodeET, x: Tensor, edges: tuple[Edges, ...], hidden: Tensor) -> Tensor:
    """Squared errors ``(N, F)``, in standard deviations, of what is ``hidden``, else 0.

    A feature beyond ``CLIP`` deviations counts as that; what is foretold is not limited.
    """
    truth = model.standardize(x).clamp(-CLIP, CLIP)
    return (model.reconstruct(model.hide(x, hidden), edges) - truth).square() * hidden


def turns(x: Tensor) -> Tensor:
    """In which of ``PARTS`` turns every feature is hidden, ``(N, F)``: one after the other, from a start by node.

    The start is hashed from the node's features, so that neighbours differ in it while no node's depends on its number
    or on the other nodes.
    """
    bits = (x + 0.0).view(torch.int32).sum(dim=1)  # int64, as sums of integers are; -0.0 has become 0.0
    start = (bits * HASH >> 32) % PARTS
    return (start.unsqueeze(1) + torch.arange(x.shape[1], device=x.device)) % PARTS


def reconstruction_error(model: NodeET, x: Tensor, edges: tuple[Edges, ...]) -> Tensor:
    """Mean squared error ``(N,)`` of the features of every node, each hidden in its turn."""
    turn, total = turns(x), x.new_zeros(len(x))
    for part in range(PARTS):
        total += hidden_error(model, x, edges, turn == part).sum(dim=1)
    return total / x.shape[1]
