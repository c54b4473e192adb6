"""Several sets of graphs as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.errors import InputError


def join(sets: Sequence[GraphSet], name: str) -> GraphSet:
    """The graphs of one set after those of another; the values of every label are those that any of them has.

    A set without classes has classes that are not known. Raises :class:`InputError` where there is no set, and where
    attributes or labels are not of one number.
    """
    widths = {(s.x.shape[1], len(s.node_labels), s.edge_attr.shape[1], len(s.edge_labels)) for s in sets}
    if len(widths) != 1:
        raise InputError(f"{name}: sets of different attributes or labels cannot be joined; read them alike")
    sizes = torch.cat([s.sizes for s in sets])
    ends = sizes.cumsum(0)
    shift = torch.tensor([0] + [len(s.x) for s in sets[:-1]]).cumsum(0)
    return GraphSet(
        torch.cat([ends.new_zeros(1), ends]),
        torch.cat([s.edge_index + by for s, by in zip(sets, shift, strict=True)], dim=1),
        torch.cat([s.x for s in sets]),
        tuple(_joined(labels) for labels in zip(*(s.node_labels for s in sets), strict=True)),
        torch.cat([s.edge_attr for s in sets]),
        tuple(_joined(labels) for labels in zip(*(s.edge_labels for s in sets), strict=True)),
        None if all(s.y is None for s in sets) else _joined([_unknown(len(s)) if s.y is None else s.y for s in sets]),
        name,
    )


def _joined(labels: Sequence[Categories]) -> Categories:
    values = Categories.of([value for label in labels for value in label.values]).values
    return Categories(torch.cat([label.among(values) for label in labels]), values)


def _unknown(count: int) -> Categories:
    return Categories(torch.full((count,), -1), ())
