"""Graphs made by chance, as large as one likes, with anomalies that both features and neighbourhood give away."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from attractor.data.graphs.node_graph import NodeGraph
from attractor.energy.checks import require_positive
from attractor.errors import InputError

COMMUNITIES = 8
CLOSED = 0.5  # the share of the edges between normal nodes that are made to stay within a community
SPREAD = 1.0  # of the communities' centres, in standard deviations of a feature within one
SHIFT = 1.0  # of an anomaly's features, all together, in the same unit
BLOCK = 1 << 20  # nodes or edges made at a time: memory beside the result


def power_law_graph(
    nodes: int, edges: int, features: int, *, anomalies: float = 0.03, exponent: float = 2.5, seed: int = 0
) -> NodeGraph:
    """An undirected graph whose degrees follow ``P(degree) ~ degree^-exponent``, with planted anomalies.

    Both ends of an edge are drawn in proportion to ``rank^-a, a = 1/(exponent - 1)`` (Chung and Lu 2002), the ranks
    shuffled over the nodes. Every node has the features of one of eight communities, and normal nodes are joined
    within theirs more often than chance has it. The share ``anomalies`` wear a community's features, a little shifted,
    and are joined at random, so nearly always to normal nodes, whatever their community. Returns ``x (nodes,
    features)`` float32, ``y`` 0 or 1 and ``edge_index (2, edges)`` int32, where some edges between hubs are repeated.
    Takes O(nodes + edges) time, and little memory beside the result. Raises :class:`InputError` on sizes below 1, a
    share outside 0 to 1 and an exponent of 2 or less, where the mean degree is unbounded.
    """
    require_positive(nodes=nodes, edges=edges, features=features)
    if not 0 < anomalies < 1:
        raise InputError(f"anomalies must be a share between 0 and 1, not {anomalies!r}")
    if exponent <= 2:
        raise InputError(f"exponent must be above 2, not {exponent!r}")
    generator = torch.Generator().manual_seed(seed)
    node_of = torch.randperm(nodes, dtype=torch.int32, generator=generator)  # of each rank
    anomalous = torch.zeros(nodes, dtype=torch.bool)
    anomalous[torch.randperm(nodes, dtype=torch.int32, generator=generator)[: round(anomalies * nodes)]] = True
    x, y = torch.empty(nodes, features), torch.empty(nodes, dtype=torch.int64)
    y[node_of] = anomalous.long()
    _fill_features(x, node_of, anomalous, generator)
    edge_index = torch.empty(2, edges, dtype=torch.int32)
    for part in edge_index.split(BLOCK, dim=1):
        part.copy_(node_of[_draw_edges(part.shape[1], anomalous, exponent, generator)])
    return NodeGraph(x, {"generated": edge_index}, y, name="power-law graph")


def _fill_features(x: Tensor, node_of: Tensor, anomalous: Tensor, generator: Generator) -> None:
    centres = SPREAD * torch.randn(COMMUNITIES, x.shape[1], generator=generator)
    shift = torch.nn.functional.normalize(torch.randn(x.shape[1], generator=generator), dim=0) * SHIFT
    for ranks in torch.arange(len(x)).split(BLOCK):
        noise = torch.randn(len(ranks), x.shape[1], generator=generator)
        x[node_of[ranks]] = noise + centres[ranks % COMMUNITIES] + anomalous[ranks, None] * shift


def _draw_edges(count: int, anomalous: Tensor, exponent: float, generator: Generator) -> Tensor:
    """Ranks of both ends, ``(2, count)``; the community of a rank is its remainder by :data:`COMMUNITIES`."""
    nodes = len(anomalous)
    power = (exponent - 1) / (exponent - 2)  # 1/(1 - a): P(rank < r) = (r / nodes)^(1 - a), inverted
    u, v = (nodes * torch.rand(2, count, dtype=torch.float64, generator=generator) ** power).long()
    near = v - v % COMMUNITIES + u % COMMUNITIES  # of v's rank, or nearly, in u's community
    inside = (near < nodes) & (torch.rand(count, generator=generator) < CLOSED)
    near = near.where(inside, v)
    free = anomalous[u] | anomalous[v] | anomalous[near]
    return torch.stack([u, v.where(free, near)])
