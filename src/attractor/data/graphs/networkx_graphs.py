"""NetworkX graphs: what their nodes and edges carry, by name, as labels and attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from attractor.data.graphs.graph_labels import classes
from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.errors import InputError

Records = list[Mapping[Any, Any]]  # what each node, or each edge, of all graphs carries


def from_networkx(graphs: Sequence[Any], y: Any = None, name: str = "graphs") -> GraphSet:
    """Graphs of any of the four classes; what their nodes (edges) carry under one name becomes a label or attributes.

    Text, whole numbers and bools are a label, not known (-1) where a node has none. Numbers one of which is a float,
    and lists of numbers, are attributes, and no node may be without. Both are in the order of the names. The classes
    are ``y``, or else what each graph has as ``graph["y"]`` or ``graph["label"]``. Of parallel edges the first counts.
    Raises :class:`InputError` on anything else.
    """
    nodes: Records = []
    edges: Records = []
    ends: list[tuple[int, int]] = []
    for graph in graphs:
        number = {node: i for i, node in enumerate(graph, start=len(nodes))}
        nodes.extend(graph.nodes[node] for node in graph)
        for source, target, carried in graph.edges(data=True):
            ends.append((number[source], number[target]))
            edges.append(carried)
    x, node_labels = _columns(nodes, f"{name}: nodes")
    edge_attr, edge_labels = _columns(edges, f"{name}: edges")
    sizes = torch.tensor([len(graph) for graph in graphs])
    index = torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).T
    own = (graph.graph.get("y", graph.graph.get("label")) for graph in graphs)
    return GraphSet.build(
        sizes, index, x, node_labels, edge_attr, edge_labels, classes(own if y is None else y, name), name
    )


def _columns(records: Records, name: str) -> tuple[Tensor, list[Categories]]:
    """Attributes ``(n, columns)`` and labels of n nodes or edges."""
    attributes, labels = [torch.zeros(len(records), 0)], []
    for key in sorted({key for record in records for key in record}, key=str):
        values = [_plain(record.get(key)) for record in records]
        if all(value is None or isinstance(value, (int, str)) for value in values):
            labels.append(Categories.of(values))
        else:
            attributes.append(_numbers(values, f"{name}, {key!r}"))
    return torch.cat(attributes, dim=1), labels


def _plain(value: Any) -> Any:
    """Arrays and tensors as Python has them; a bool as 0 or 1."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return int(value) if isinstance(value, bool) else value


def _numbers(values: list[Any], name: str) -> Tensor:
    if (missing := sum(value is None for value in values)) > 0:
        raise InputError(f"{name}: {missing} of {len(values)} have no number; give them all one, or none")
    try:
        numbers = torch.tensor(values, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        kinds = ", ".join(sorted({type(value).__name__ for value in values}))
        raise InputError(
            f"{name}: of the kinds {kinds}; give numbers, text, or lists of equally many numbers"
        ) from None
    return numbers.reshape(len(values), 1) if numbers.ndim == 1 else numbers.flatten(1)
