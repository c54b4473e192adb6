"""How far graphs lie from the normal ones, in the latents of networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attractor.data.graphs.packed import PackedGraphs
from attractor.models import GraphBatch, GraphET
from attractor.scoring.gaussian import LatentGaussian
from attractor.tasks.graphs.fitting import device
from attractor.training.graphs import batches


def latent(model: GraphET, batch: GraphBatch) -> Tensor:
    """``g_T`` of the reader, its mean over the nodes and its standard deviation over them, ``(G, 3 D)``."""
    g, _ = model.evolve(batch)
    mean = batch.mean_over_nodes(g)
    variance = batch.mean_over_nodes((g - mean[batch.graph]).square())
    return torch.cat([g[batch.readers], mean, variance.sqrt()], dim=1)


@torch.no_grad()
def latents(model: GraphET, packed: PackedGraphs, graphs: Tensor) -> Tensor:
    """Of the graphs of these numbers, ``(G, 3 D)``."""
    return torch.cat([latent(model, batch).cpu() for batch in batches(packed, graphs, device())])


def fit_gaussian(model: GraphET, packed: PackedGraphs, graphs: Tensor) -> LatentGaussian:
    """The latent Gaussian of the normal graphs of these numbers."""
    gaussian = LatentGaussian(3 * model.config.dim)
    gaussian.update(latents(model, packed, graphs))
    return gaussian.finish()


def distances(
    members: Sequence[GraphET], gaussians: Sequence[LatentGaussian], packed: PackedGraphs, graphs: Tensor
) -> NDArray[np.float64]:
    """Mean over the members of the squared Mahalanobis distance of the graphs of these numbers, ``(G,)``."""
    each = [gaussian.score(latents(m, packed, graphs)) for m, gaussian in zip(members, gaussians, strict=True)]
    return torch.stack(each).mean(dim=0).numpy()
