"""PyG graphs, one after another in the same arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from attractor.data.graphs.graph_labels import categories, classes
from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.errors import InputError


def from_pyg(graphs: Sequence[Any], y: Any = None, name: str = "graphs") -> GraphSet:
    """PyG ``Data``, each with ``x`` or ``num_nodes``; all else as :func:`from_fields` has it."""
    return from_fields([{"num_nodes": graph.num_nodes, **graph.to_dict()} for graph in graphs], y, name)


def from_fields(graphs: Sequence[Mapping[str, Any]], y: Any = None, name: str = "graphs") -> GraphSet:
    """Graphs of n nodes, each ``x (n, F)``, ``edge_index (2, e)``, ``edge_attr (e, A)`` and a class ``y``, by name.

    Where ``x`` or ``edge_attr`` has a dtype of whole numbers each of its columns is a label; else they are attributes.
    They may be left out, but of all graphs alike. The classes are ``y``, or else those of the graphs. Raises
    :class:`InputError` on what does not fit together.
    """
    parts = [_part(graph, f"{name}, graph {i}") for i, graph in enumerate(graphs)]
    sizes = torch.tensor([part.size for part in parts])
    index = [part.ends + start for part, start in zip(parts, (sizes.cumsum(0) - sizes).tolist(), strict=True)]
    x, node_labels = _together([part.x for part in parts], f"{name}: x")
    joined = [part for part in parts if part.ends.numel()]  # the others have nothing to say of edges
    edge_attr, edge_labels = _together([part.edge_attr for part in joined], f"{name}: edge_attr")
    y = classes((graph.get("y") for graph in graphs) if y is None else y, name)
    return GraphSet.build(sizes, torch.cat(index, dim=1), x, node_labels, edge_attr, edge_labels, y, name)


class _Part(NamedTuple):
    size: int
    ends: Tensor
    x: Tensor | None
    edge_attr: Tensor | None


def _part(graph: Mapping[str, Any], name: str) -> _Part:
    """One graph, everything in it checked against its own size: in the joined arrays a fault could hit a neighbour."""
    x, index = graph.get("x"), graph.get("edge_index")
    size = graph.get("num_nodes") if x is None else len(x)
    if size is None:
        raise InputError(f"{name} has neither x nor num_nodes; give one of them")
    index = torch.zeros(2, 0, dtype=torch.int64) if index is None else torch.as_tensor(index).cpu()
    if index.is_floating_point() or index.ndim != 2 or len(index) != 2:
        raise InputError(f"{name}: edge_index must be whole numbers (2, edges), not {index.dtype} {tuple(index.shape)}")
    if (wrong := (index < 0) | (index >= size)).any():
        raise InputError(f"{name}: an edge names node {int(index[wrong][0])}, but nodes are numbered 0 to {size - 1}")
    edge_attr = _rows(graph.get("edge_attr"), index.shape[1], f"{name}: edge_attr")
    return _Part(size, index, _rows(x, size, f"{name}: x"), edge_attr)


def _rows(values: Any, count: int, name: str) -> Tensor | None:
    if values is None:
        return None
    rows = torch.as_tensor(values).detach().cpu()
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or len(rows) != count:
        raise InputError(f"{name} must be of shape ({count}, any), not {tuple(rows.shape)}")
    return rows


def _together(parts: list[Tensor | None], name: str) -> tuple[Tensor | None, list[Categories]]:
    """The rows of all graphs as attributes, or every column as a label."""
    kinds = {None if part is None else (part.shape[1], part.is_floating_point()) for part in parts}
    if len(kinds) > 1:
        raise InputError(f"{name} must have as many columns, and be of floats or whole numbers, in all graphs alike")
    rows = [part for part in parts if part is not None]
    if not rows:
        return None, []
    joined = torch.cat(rows)
    if joined.is_floating_point():
        return joined, []
    return None, [categories(column.long()) for column in joined.unbind(dim=1)]
