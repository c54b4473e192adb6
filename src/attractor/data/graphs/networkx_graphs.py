"""NetworkX graphs: what their nodes and edges carry, by name, as labels and attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from attractor.data.graphs.graph_labels import classes
from attractor.data.graphs.graph_set import Carried, Categories, GraphSet
from attractor.errors import InputError

Records = list[Mapping[Any, Any]]  # what each node, or each edge, of all graphs carries


def from_networkx(
    graphs: Sequence[Any], y: Any = None, name: str = "graphs", carried: tuple[Carried, Carried] | None = None
) -> GraphSet:
    """Graphs of any of the four classes; what their nodes (edges) carry under one name becomes a label or attributes.

    Text, whole numbers and bools are a label, not known (-1) where a node has none. Numbers one of which is a float,
    and lists of numbers, are attributes, and no node may be without. Both are in the order of the names. The classes
    are ``y``, or else what each graph has as ``graph["y"]`` or ``graph["label"]``. Of parallel edges the first counts.
    ``carried``, of other graphs, says what is a label and what attributes, in place of the values: in a few graphs all
    of them may happen to be whole numbers, or not to be known. Raises :class:`InputError` on anything else.
    """
    nodes: Records = []
    edges: Records = []
    ends: list[tuple[int, int]] = []
    for graph in graphs:
        number = {node: i for i, node in enumerate(graph, start=len(nodes))}
        nodes.extend(graph.nodes[node] for node in graph)
        for source, target, values in graph.edges(data=True):
            ends.append((number[source], number[target]))
            edges.append(values)
    of_nodes, of_edges = carried or (_carried(nodes, f"{name}: nodes"), _carried(edges, f"{name}: edges"))
    x, node_labels = _columns(nodes, of_nodes, f"{name}: nodes")
    edge_attr, edge_labels = _columns(edges, of_edges, f"{name}: edges")
    sizes = torch.tensor([len(graph) for graph in graphs])
    index = torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).T
    own = (graph.graph.get("y", graph.graph.get("label")) for graph in graphs)
    y = classes(own if y is None else y, name)
    graph_set = GraphSet.build(sizes, index, x, node_labels, edge_attr, edge_labels, y, name)
    return replace(graph_set, carried=(of_nodes, of_edges))


def _carried(records: Records, name: str) -> Carried:
    """What nodes or edges carry, told by their values, in the order of the names."""
    named = sorted(_by_name(records).items())
    return tuple((key, None if _is_label(v) else _numbers(v, f"{name}, {key!r}").shape[1]) for key, v in named)


def _columns(records: Records, carried: Carried, name: str) -> tuple[Tensor, list[Categories]]:
    """Attributes ``(n, columns)`` and labels of n nodes or edges."""
    attributes, labels = [torch.zeros(len(records), 0)], []
    found = _by_name(records)
    if unknown := found.keys() - dict(carried):
        raise InputError(f"{name} carry {min(unknown)!r}, which those fitted on do not; leave it out")
    for key, width in carried:
        values = found.get(key, [None] * len(records))
        if width is not None:
            attributes.append(_numbers(values, f"{name}, {key!r}", width))
        elif _is_label(values):
            labels.append(Categories.of(values))
        else:
            raise InputError(f"{name}, {key!r}: not all whole numbers or text, as those fitted on are; make them so")
    return torch.cat(attributes, dim=1), labels


def _by_name(records: Records) -> dict[str, list[Any]]:
    """Under every name the values of all records, None where one has none."""
    keys = {str(key): key for record in records for key in record}
    return {name: [_plain(record.get(key)) for record in records] for name, key in keys.items()}


def _is_label(values: list[Any]) -> bool:
    return all(value is None or isinstance(value, (int, str)) for value in values)


def _plain(value: Any) -> Any:
    """Arrays and tensors as Python has them; a bool as 0 or 1."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return int(value) if isinstance(value, bool) else value


def _numbers(values: list[Any], name: str, width: int | None = None) -> Tensor:
    """Attributes ``(n, columns)``, which are to be ``width`` columns where that is known."""
    if not values:
        return torch.zeros(0, width or 0)
    if (missing := sum(value is None for value in values)) > 0:
        raise InputError(f"{name}: {missing} of {len(values)} have no number; give them all one, or none")
    try:
        numbers = torch.tensor(values, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        kinds = ", ".join(sorted({type(value).__name__ for value in values}))
        raise InputError(
            f"{name}: of the kinds {kinds}; give numbers, text, or lists of equally many numbers"
        ) from None
    numbers = numbers.reshape(len(values), 1) if numbers.ndim == 1 else numbers.flatten(1)
    if width not in (None, numbers.shape[1]):
        raise InputError(f"{name}: {numbers.shape[1]} numbers each, not {width} as those fitted on")
    return numbers
