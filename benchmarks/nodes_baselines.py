"""What our node anomaly detector is compared with: random forests, GCN and GraphSAGE of PyTorch Geometric, BWGNN.

Each method is a function of a graph, a split, a seed and one of its settings to the probability of an anomaly of every
node, ``(N,)``. It learns from the labels that train; a network also takes its epoch from those that validate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from bwgnn import BWGNN
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, SAGEConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import remove_self_loops, to_torch_csr_tensor, to_undirected

from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.splits import Split
from attractor.scoring.thresholds import GRID, macro_f1

TREES = 500
EPOCHS, PATIENCE, HIDDEN, WEIGHT_DECAY = 300, 60, 64, 5e-4
SCALERS = {"standard": StandardScaler(), "quantile": QuantileTransformer(output_distribution="normal", subsample=None)}


class Propagate(torch.autograd.Function):
    """``S h`` of a symmetric sparse ``S``, whose gradient is ``S`` times what flows back: no transposed copy a step."""

    @staticmethod
    def forward(ctx: Any, s: Tensor, h: Tensor) -> Tensor:
        """``S h``."""
        ctx.s = s
        return s @ h

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        """``S gradient``."""
        return None, ctx.s @ gradient


class GCNLayer(GCNConv):
    """PyTorch Geometric's, with the product above."""

    def message_and_aggregate(self, edge_index: Tensor, x: Tensor) -> Tensor:
        """Sum over the neighbours."""
        return Propagate.apply(edge_index, x)


class SAGELayer(SAGEConv):
    """PyTorch Geometric's, with the product above."""

    def message_and_aggregate(self, edge_index: Tensor, x: tuple[Tensor, Tensor]) -> Tensor:
        """Mean over the neighbours."""
        return Propagate.apply(edge_index, x[0]) / degrees(edge_index)


class TwoLayers(nn.Module):
    """Two graph convolutions."""

    def __init__(self, layer: Callable[[int, int], nn.Module], features: int, dropout: float):
        super().__init__()
        self.first, self.second = layer(features, HIDDEN), layer(HIDDEN, 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, a: Tensor) -> Tensor:
        """Logits ``(N, 2)``."""
        return self.second(self.dropout(self.first(x, a).relu()), a)


def adjacency(graph: NodeGraph) -> Tensor:
    """Symmetric and sparse, ones, no self-loops."""
    index = to_undirected(torch.cat(list(graph.relations.values()), dim=1), num_nodes=graph.nodes)
    return to_torch_csr_tensor(remove_self_loops(index)[0], size=(graph.nodes, graph.nodes))


def degrees(a: Tensor) -> Tensor:
    """Of every node, at least 1, ``(N, 1)``."""
    return a.crow_indices().diff().clamp(min=1).unsqueeze(1)


def gcn(graph: NodeGraph, dropout: float) -> tuple[nn.Module, Any]:
    """A network and what it needs of the graph."""
    return TwoLayers(partial(GCNLayer, cached=True), graph.x.shape[1], dropout), adjacency(graph)


def sage(graph: NodeGraph, dropout: float) -> tuple[nn.Module, Any]:
    """A network and what it needs of the graph."""
    return TwoLayers(SAGELayer, graph.x.shape[1], dropout), adjacency(graph)


def bwgnn(graph: NodeGraph, dropout: float) -> tuple[nn.Module, Any]:
    """A network and what it needs of the graph."""
    s = gcn_norm(adjacency(graph), add_self_loops=False)[0]
    return BWGNN(graph.x.shape[1], HIDDEN, dropout=dropout), partial(Propagate.apply, s)


def network(
    build: Callable[[NodeGraph, float], tuple[nn.Module, Any]],
    graph: NodeGraph,
    split: Split,
    seed: int,
    *,
    features: str,
    lr: float,
    dropout: float,
) -> NDArray:
    """Train on the whole graph with class weights; of all epochs, the one of highest validation macro-F1."""
    torch.manual_seed(seed)
    model, surroundings = build(graph, dropout)
    x = torch.from_numpy(SCALERS[features].fit_transform(graph.x.numpy())).float()
    labels, expected = graph.y[split.train], graph.y[split.validation]
    weight = torch.tensor([1.0, (labels == 0).sum() / labels.sum()])
    adam = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=WEIGHT_DECAY)
    best, chosen, kept = -1.0, 0, np.empty(0)
    for epoch in range(EPOCHS):
        adam.zero_grad()
        F.cross_entropy(model.train()(x, surroundings)[split.train], labels, weight).backward()
        adam.step()
        with torch.inference_mode():
            p = model.eval()(x, surroundings).softmax(dim=1)[:, 1]
        f1 = macro_f1(expected, p[split.validation], GRID).max()
        if f1 > best:
            best, chosen, kept = f1, epoch, p.numpy()
        elif epoch - chosen == PATIENCE:
            break
    return kept


def forest(neighbours: bool, graph: NodeGraph, split: Split, seed: int, **settings: Any) -> NDArray:
    """Random forest on the features, or on these, the neighbours' mean and the degree."""
    x = graph.x
    if neighbours:
        a = adjacency(graph)
        x = torch.cat([x, a @ x / degrees(a), degrees(a)], dim=1)
    trees = RandomForestClassifier(TREES, random_state=seed, **settings)
    return trees.fit(x[split.train], graph.y[split.train]).predict_proba(x)[:, 1]


FORESTS = [
    {"min_samples_leaf": leaf, "class_weight": weight} for leaf, weight in product((1, 3), (None, "balanced_subsample"))
]
NETWORKS = [
    {"features": "standard", "lr": 0.01, "dropout": 0.3},
    {"features": "standard", "lr": 0.003, "dropout": 0.5},
    {"features": "quantile", "lr": 0.01, "dropout": 0.3},
]
BASELINES = {
    "forest": (partial(forest, False), FORESTS),
    "forest-neighbours": (partial(forest, True), FORESTS),
    "gcn": (partial(network, gcn), NETWORKS),
    "sage": (partial(network, sage), NETWORKS),
    "bwgnn": (partial(network, bwgnn), NETWORKS),
}
