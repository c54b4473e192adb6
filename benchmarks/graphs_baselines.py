"""What our graph classifier is compared with: GIN and GCN of PyTorch Geometric, a random forest on plain statistics.

Each method is a function of graphs, a fold, a seed, the epochs and one of its settings to what predicts, and the epoch
that every network of it kept, which is the best on the graphs that validate. What predicts takes numbers of graphs and
gives the probability of every class, ``(n, C)``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from graphs_statistics import DEGREES, degrees, graph_of_node, one_hot, statistics
from nodes_baselines import GCNLayer, Propagate
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn
from torch_geometric.nn import GINConv, GINEConv, global_add_pool, global_max_pool, global_mean_pool
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import to_torch_csr_tensor

from attractor.data.graphs.graph_set import Categories, GraphSet, ranges
from attractor.data.graphs.splits import Split

Predict = Callable[[Tensor], Tensor]

TREES = 500
GIN_LAYERS, GCN_LAYERS, WIDTH = 5, 4, 64
POOLS = {"sum": global_add_pool, "mean": global_mean_pool}


class GINLayer(GINConv):
    """PyTorch Geometric's, with the product of the node baselines, which knows that the graph is symmetric."""

    def message_and_aggregate(self, edge_index: Tensor, x: tuple[Tensor, Tensor]) -> Tensor:
        """Sum over the neighbours."""
        return Propagate.apply(edge_index, x[0])


class GIN(nn.Module):
    """Five layers, GINE where edges are labelled; the pooled nodes of every layer are read together.

    Source: Xu et al. (2019), How powerful are graph neural networks?; Hu et al. (2020) for labelled edges.
    """

    def __init__(self, graphs: GraphSet, classes: int, pool: str):
        super().__init__()
        features, edges = graphs.x.shape[1], graphs.edge_attr.shape[1]
        layer = partial(GINEConv, edge_dim=edges) if edges else GINLayer
        inputs = [features, *[WIDTH] * (GIN_LAYERS - 1)]
        self.layers = nn.ModuleList(layer(self._two_layers(width), train_eps=True) for width in inputs)
        self.pool = POOLS[pool]
        self.head = head(GIN_LAYERS * WIDTH, classes)

    @staticmethod
    def _two_layers(width: int) -> nn.Module:
        first, second = nn.Linear(width, WIDTH), nn.Linear(WIDTH, WIDTH)
        return nn.Sequential(first, nn.BatchNorm1d(WIDTH), nn.ReLU(), second, nn.BatchNorm1d(WIDTH), nn.ReLU())

    def forward(self, graphs: GraphSet) -> Tensor:
        """Logits ``(G, C)``."""
        edges = graphs.edge_attr.shape[1]
        where = (graphs.edge_index, graphs.edge_attr) if edges else (adjacency(graphs),)
        x, pooled = graphs.x, []
        for layer in self.layers:
            x = layer(x, *where)
            pooled.append(self.pool(x, graph_of_node(graphs), len(graphs)))
        return self.head(torch.cat(pooled, dim=1))


class GCN(nn.Module):
    """Four layers, then mean, maximum and sum over the nodes. Source: Kipf and Welling (2017)."""

    def __init__(self, graphs: GraphSet, classes: int):
        super().__init__()
        inputs = [graphs.x.shape[1], *[WIDTH] * (GCN_LAYERS - 1)]
        self.layers = nn.ModuleList(GCNLayer(width, WIDTH, normalize=False) for width in inputs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in inputs)
        self.head = head(3 * WIDTH, classes)

    def forward(self, graphs: GraphSet) -> Tensor:
        """Logits ``(G, C)``."""
        x, s, graph = graphs.x, gcn_norm(adjacency(graphs))[0], graph_of_node(graphs)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(x, s)).relu()
        pools = (global_mean_pool, global_max_pool, global_add_pool)
        return self.head(torch.cat([pool(x, graph, len(graphs)) for pool in pools], dim=1))


def head(width: int, classes: int) -> nn.Module:
    """Two layers; the norm before them keeps sums over large graphs in range, without which nothing is learnt."""
    last = (nn.ReLU(), nn.Dropout(0.5), nn.Linear(WIDTH, classes))
    return nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, WIDTH), *last)


def network(
    build: Callable[..., nn.Module],
    graphs: GraphSet,
    fold: Split,
    seed: int,
    epochs: int,
    *,
    lr: float,
    **settings: Any,
) -> tuple[Predict, list[int]]:
    """Adam, its rate falling to 0 by a cosine; kept is the epoch of best validation accuracy, then of least loss."""
    torch.manual_seed(seed)
    graphs, y, classes = numeric(graphs, fold.train), graphs.y.codes, len(graphs.y.values)
    model = build(graphs, classes, **settings)
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, epochs)
    batches = -(-len(fold.train) // (64 if len(fold.train) > 300 else 32))
    best, kept, weights = (-1.0, 0.0), 0, {}
    for epoch in range(1, epochs + 1):
        model.train()
        for numbers in fold.train[torch.randperm(len(fold.train))].tensor_split(batches):
            adam.zero_grad()
            F.cross_entropy(model(graphs[numbers]), y[numbers]).backward()
            adam.step()
        schedule.step()
        found = quality(probabilities(model, graphs, fold.validation), y[fold.validation])
        if found > best:
            best, kept, weights = found, epoch, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return partial(probabilities, model, graphs), [kept]


@torch.inference_mode()
def probabilities(model: nn.Module, graphs: GraphSet, numbers: Tensor) -> Tensor:
    """Of every class, ``(n, C)``."""
    model.eval()
    return torch.cat([model(graphs[part]).softmax(dim=1) for part in numbers.split(256)])


def quality(p: Tensor, y: Tensor) -> tuple[float, float]:
    """The share of graphs whose class is the most probable, and the mean log-probability of the class."""
    right = p.argmax(dim=1) == y
    return float(right.double().mean()), float(p.gather(1, y.unsqueeze(1)).clamp(min=1e-6).log().mean())


def numeric(graphs: GraphSet, train: Tensor) -> GraphSet:
    """Labels as one-hot columns beside the attributes, these standardised on the graphs that train."""
    x = columns(graphs.x, graphs.node_labels, ranges(graphs.ptr, train))
    edge_attr = columns(graphs.edge_attr, graphs.edge_labels, ranges(graphs.edge_ptr, train))
    x = x if x.shape[1] else F.one_hot(degrees(graphs).clamp(max=DEGREES)).float()
    return replace(graphs, x=x, node_labels=(), edge_attr=edge_attr, edge_labels=())


def columns(attributes: Tensor, labels: tuple[Categories, ...], train: Tensor) -> Tensor:
    """Attributes, standardised on the rows that train, and a column for every value of every label."""
    centred = attributes - attributes[train].mean(dim=0)
    scaled = centred / centred[train].square().mean(dim=0).sqrt().clamp(min=1e-6)
    return torch.cat([scaled, *(one_hot(label.codes, len(label.values)) for label in labels)], dim=1)


def adjacency(graphs: GraphSet) -> Tensor:
    """Ones, symmetric and sparse."""
    return to_torch_csr_tensor(graphs.edge_index, size=(len(graphs.x), len(graphs.x)))


def forest(graphs: GraphSet, fold: Split, seed: int, epochs: int, **settings: Any) -> tuple[Predict, list[int]]:
    """Random forest on plain statistics; it has no epochs."""
    x = statistics(graphs)
    trees = RandomForestClassifier(TREES, random_state=seed, **settings)
    trees.fit(x[fold.train], graphs.y.codes[fold.train])
    return lambda numbers: torch.from_numpy(trees.predict_proba(x[numbers])), []


BASELINES = {
    "gin": (partial(network, GIN), [{"lr": 0.01, "pool": "sum"}, {"lr": 0.001, "pool": "mean"}]),
    "gcn": (partial(network, GCN), [{"lr": 0.01}, {"lr": 0.001}]),
    "forest": (forest, [{"min_samples_leaf": leaf} for leaf in (1, 3, 5)]),
}
