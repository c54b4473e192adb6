"""Training on whole graphs without their classes: on a summary of each, foretold where much of it is hidden."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.models import GraphBatch, GraphET
from attractor.models.standardize import Standardize
from attractor.training.graphs import GraphObjective, Graphs
from attractor.training.nodes import CLIP


class GraphSummaries(GraphObjective):
    """Mean squared error of the standardised :func:`summary` of graphs as the model's head foretells it.

    Of every node another share of the features and positions is hidden, so that the tokens must ask their neighbours
    and the reader. The model has a class for each of them. The last epoch is the result.
    """

    scale: Standardize

    def __init__(self, graphs: Graphs, model: GraphET):
        super().__init__(graphs, model)
        everything = graphs.batch(torch.arange(len(graphs.train)))
        self.scale = Standardize(model.config.classes).to(graphs.device).fit(summary(model, everything))

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch of training graphs."""
        batch = self.graphs.batch(indices)
        return F.mse_loss(self.model(hide(self.model, batch)), self.scale(summary(self.model, batch))), {}


def summary(model: GraphET, batch: GraphBatch) -> Tensor:
    """The mean over its nodes of standardised features and positions, of every graph, ``(G, F + P)``.

    One of them counts for ``CLIP`` standard deviations at most.
    """
    z = torch.cat([model.standardize(batch.x), model.standardize_positions(batch.positions)], dim=1)
    return batch.mean_over_nodes(z.clamp(-CLIP, CLIP))


def hide(model: GraphET, batch: GraphBatch) -> GraphBatch:
    """The same graphs with the mean in place of some features and positions, of every node another share of them."""
    known = torch.cat([batch.x, batch.positions], dim=1)
    means = torch.cat([model.standardize.mean, model.standardize_positions.mean])
    hidden = torch.rand_like(known) < torch.rand_like(known[:, :1])
    x, positions = torch.where(hidden, means, known).tensor_split([batch.x.shape[1]], dim=1)
    return replace(batch, x=x, positions=positions)
