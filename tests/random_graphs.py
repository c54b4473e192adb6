"""Random graphs in which everything is known that can be, and the same with their nodes renumbered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from attractor.data.graphs.graph_set import Categories, GraphSet

VALUES = ("C", "N", "O")


def random_graphs(sizes: Sequence[int], seed: int = 0, edges: int = 2) -> GraphSet:
    """Graphs with a label and 2 attributes of every node, a label and an attribute of about ``edges`` edges a node."""
    generator = torch.Generator().manual_seed(seed)
    nodes = torch.tensor(sizes)
    starts = nodes.cumsum(0) - nodes
    pairs = [
        start + torch.randint(n, (2, edges * n), generator=generator) for start, n in zip(starts, sizes, strict=True)
    ]
    index = torch.cat(pairs, dim=1)
    total, count = int(nodes.sum()), index.shape[1]

    def label(n: int) -> Categories:
        return Categories(torch.randint(len(VALUES), (n,), generator=generator), VALUES)

    return GraphSet.build(
        nodes,
        index,
        torch.randn(total, 2, generator=generator),
        [label(total)],
        torch.randn(count, 1, generator=generator),
        [label(count)],
        Categories(torch.arange(len(sizes)) % 2, (0, 1)),
    )


def renumbering(graphs: GraphSet, seed: int = 0) -> Tensor:
    """A new number for every node, within its graph."""
    generator = torch.Generator().manual_seed(seed)
    starts = graphs.ptr[:-1].tolist()
    orders = [torch.randperm(n, generator=generator) for n in graphs.sizes.tolist()]
    return torch.cat([start + order for start, order in zip(starts, orders, strict=True)])


def renumbered(graphs: GraphSet, number: Tensor) -> GraphSet:
    """The same graphs, in which node v is ``number[v]``."""
    old = number.argsort()
    labels = [label[old] for label in graphs.node_labels]
    index = number[graphs.edge_index]
    edges = (graphs.edge_attr, graphs.edge_labels)
    return GraphSet.build(graphs.sizes, index, graphs.x[old], labels, *edges, graphs.y)
