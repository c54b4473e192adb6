"""A graph as networks see it, what is known of its nodes, and whether it is one of the kind fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.raw import RawGraph, to_graph
from attractor.energy import Edges
from attractor.errors import InputError
from attractor.models.device import default_device


def as_networks_see(graph: NodeGraph, merged: bool) -> tuple[Tensor, tuple[Edges, ...]]:
    """Features and degrees ``(N, F + R)``, and the edges of R relations, where networks run.

    A degree is the logarithm of 1 and the neighbours that a node sees.
    """
    edges = graph.edges(merged)
    degrees = torch.stack([relation.degrees().float().log1p() for relation in edges], dim=1)
    x = torch.cat([graph.x.cpu(), degrees], dim=1)
    return x.to(default_device()), tuple(relation.to(default_device()) for relation in edges)


def labels_of(graph: NodeGraph, y: Any) -> Tensor | None:
    """1, 0 or -1 of every node ``(N,)``, ``y`` in place of the graph's own; None where nothing is known."""
    if y is not None:
        graph = to_graph(RawGraph(graph.x, {"edges": torch.empty(2, 0, dtype=torch.int64)}, y), name=graph.name)
    return graph.y if graph.y is not None and bool((graph.y >= 0).any()) else None


def require_alike(
    graph: NodeGraph, features: int, columns: Sequence[str] | None, relations: Sequence[str] | None
) -> None:
    """Raise :class:`InputError` unless the graph has so many ``features``, and of these names and ``relations``.

    Names count where both have them; relations where they are told apart, else they are None.
    """
    if graph.x.shape[1] != features:
        raise InputError(f"{graph.name} has {graph.x.shape[1]} features a node, not {features} as fitted on")
    for known, found in zip(columns or (), graph.columns or (), strict=False):  # not all graphs name them
        if found != known:
            raise InputError(f"{graph.name} has the feature {found!r} where {known!r} was fitted on; put it there")
    if relations is not None and sorted(graph.relations) != relations:
        found, known = ", ".join(sorted(graph.relations)), ", ".join(relations)
        raise InputError(f"{graph.name} has the relations {found}, not {known} as fitted on; rename or add them")
