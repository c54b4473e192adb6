"""What a classifier makes of a graph when one of its nodes is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attractor.data.graphs.graph_set import GraphSet

if TYPE_CHECKING:
    from attractor.tasks.graphs.classifier import GraphClassifier

NODES = 2**17  # in all graphs that are looked at for one: up to 362 nodes, every one of them is left out in turn


def evidence(classifier: GraphClassifier, graph: GraphSet, of: int, nodes: Tensor) -> NDArray[np.float64]:
    """How much each of the ``nodes`` speaks for class number ``of``: ``log p(graph) - log p(graph without it)``.

    ``graph`` is a set of one graph, ``nodes (n,)`` number its nodes; natural logarithms, ``(n,)``.
    Source: Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2, of nodes.
    """
    whole = classifier.predict_proba(graph)[0, of]
    return np.log(whole) - np.log(classifier.predict_proba(without_each(graph, nodes))[:, of])


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
