"""How far graphs lie from the normal ones, in the latents of networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attractor.data.graphs.packed import PackedGraphs
from attractor.models import GraphET
from attractor.scoring.gaussian import LatentGaussian
from attractor.scoring.methods import geometric_mean
from attractor.scoring.neighbours import NearestNeighbours
from attractor.tasks.device import device
from attractor.training.graphs import batches


class GraphScorer(nn.Module):
    r"""Geometric mean of two distances from the normal graphs, neither of whose units count for more::

        s(z) = sqrt((z - mean)^T Sigma^-1 (z - mean) . d_5(m))        z = [r, m]

    ``z (G, 2 D)`` is what :meth:`GraphET.read` gives, ``r`` its part of the reader and ``m`` that of the nodes;
    ``Sigma`` the Ledoit-Wolf covariance of normal ones, ``d_5`` the mean Euclidean distance to the five nearest. Both
    are the scores of images (:class:`LatentGaussian`, :class:`NearestNeighbours`), and so is how they are combined.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.gaussian, self.neighbours = LatentGaussian(2 * dim), NearestNeighbours(metric="euclidean")

    def fit(self, z: Tensor) -> GraphScorer:
        """Learn from the latents of normal graphs, ``(G, 2 D)``."""
        self.gaussian.update(z)
        self.gaussian.finish()
        self.neighbours.fit(z[:, z.shape[1] // 2 :])
        return self

    def forward(self, z: Tensor) -> Tensor:
        """Scores ``(G,)``, float64; high is anomalous."""
        return geometric_mean([self.gaussian.score(z), self.neighbours.score(z[:, z.shape[1] // 2 :]).double()])


@torch.no_grad()
def latents(model: GraphET, packed: PackedGraphs, graphs: Tensor) -> Tensor:
    """Of the graphs of these numbers, ``(G, 2 D)``."""
    return torch.cat([model.read(batch).cpu() for batch in batches(packed, graphs, device())])


def mean_scores(
    members: Sequence[GraphET], scorers: Sequence[GraphScorer], packed: PackedGraphs, graphs: Tensor
) -> NDArray[np.float64]:
    """Mean over the members of the scores of the graphs of these numbers, ``(G,)``."""
    each = [scorer(latents(member, packed, graphs)) for member, scorer in zip(members, scorers, strict=True)]
    return torch.stack(each).mean(dim=0).numpy()
