"""What a classifier makes of a graph when one of its nodes is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from attractor.data.graphs.graph_set import GraphSet

if TYPE_CHECKING:
    from attractor.tasks.graphs.classifier import GraphClassifier

WORK = 400**3  # what the graphs that are looked at for one may cost, each the square of its nodes
LEAST = 5  # nodes that are left out of even the largest graph


def evidence(classifier: GraphClassifier, graph: GraphSet, of: int, nodes: Tensor) -> dict[int, float]:
    """How much nodes speak for class number ``of``: ``log p(graph) - log p(graph without the node)``, by node.

    ``graph`` is a set of one graph, ``nodes`` its nodes from the most important; of a graph that is too large for all
    only the first are left out, and one node alone is not.
    Source: Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2, there of images.
    """
    size = len(graph.x)
    if size == 1:
        return {}
    tried = nodes[: max(LEAST, WORK // size**2)]
    whole, without = (classifier.predict_proba(g)[:, of] for g in (graph, without_each(graph, tried)))
    return dict(zip(tried.tolist(), (np.log(whole) - np.log(without)).tolist(), strict=True))


def without_each(graph: GraphSet, nodes: Tensor) -> GraphSet:
    """A set of one graph as one of n: each without one of its ``nodes (n,)`` and without that node's edges."""
    copies = graph[[0] * len(nodes)]
    stays = torch.ones(len(copies.x), dtype=torch.bool).index_fill(0, copies.ptr[:-1] + nodes, False)
    kept = stays[copies.edge_index].all(dim=0)
    return replace(
        copies,
        ptr=copies.ptr - torch.arange(len(copies.ptr)),
        edge_index=(stays.cumsum(0) - 1)[copies.edge_index[:, kept]],
        x=copies.x[stays],
        node_labels=tuple(label[stays] for label in copies.node_labels),
        edge_attr=copies.edge_attr[kept],
        edge_labels=tuple(label[kept] for label in copies.edge_labels),
    )
