"""Many small graphs, one after another in the same arrays: what graph classification learns from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from attractor.errors import InputError

Value = int | str
Carried = tuple[tuple[str, int | None], ...]  # by name what nodes or edges carry: so many attributes; None: a label


@dataclass(frozen=True, eq=False)
class Categories:
    """A label of each of n things: thing i has ``values[codes[i]]``; ``codes`` int64 ``(n,)``, -1 where not known."""

    codes: Tensor
    values: tuple[Value, ...]

    @classmethod
    def of(cls, labels: Sequence[Any]) -> Categories:
        """Labels, whole numbers or text, as categories in ascending order; None is not known."""
        values = tuple(sorted({v for v in labels if v is not None}, key=lambda v: (isinstance(v, str), v)))
        number = {value: code for code, value in enumerate(values)}
        return cls(torch.tensor([number.get(v, -1) for v in labels], dtype=torch.int64), values)

    def __getitem__(self, index: Tensor) -> Categories:
        return replace(self, codes=self.codes[index])

    def named(self) -> list[Value | None]:
        """What each thing is called, None where that is not known."""
        return [self.values[code] if code >= 0 else None for code in self.codes.tolist()]

    def occurring(self) -> tuple[Value, ...]:
        """The values that at least one thing has, in their order."""
        return tuple(self.values[code] for code in self.codes[self.codes >= 0].unique().tolist())

    def among(self, values: Sequence[Value]) -> Tensor:
        """The codes that these labels have among other ``values``, -1 where they are none of them; ``(n,)``."""
        number = {value: code for code, value in enumerate(values)}
        return torch.tensor([number.get(v, -1) for v in self.values] + [-1], dtype=torch.int64)[self.codes]


@dataclass(frozen=True, eq=False)
class GraphSet:
    """G undirected graphs of T nodes in all, numbered through, and what is known of nodes, edges and graphs.

    ``ptr``: int64 ``(G + 1,)``, graph i has the nodes ``ptr[i]`` to ``ptr[i + 1] - 1``. ``edge_index``: int64
    ``(2, E)``, sources above targets; :meth:`build` puts them in order: both directions of every edge, once, no
    self-loops, by target and then source. ``x``: float32 ``(T, F)`` attributes, ``edge_attr``: float32 ``(E, A)``,
    F and A may be 0. ``node_labels`` and ``edge_labels``: any number of categorical labels, ``(T,)`` and ``(E,)``.
    ``y``: the class of every graph ``(G,)``, None where there are no classes. ``carried``: the names under which nodes
    and edges carry all this, where they have names.
    """

    ptr: Tensor
    edge_index: Tensor
    x: Tensor
    node_labels: tuple[Categories, ...]
    edge_attr: Tensor
    edge_labels: tuple[Categories, ...]
    y: Categories | None = None
    name: str = "graphs"
    carried: tuple[Carried, Carried] | None = None

    @classmethod
    def build(
        cls,
        sizes: Tensor,
        edge_index: Tensor,
        x: Tensor | None = None,
        node_labels: Iterable[Categories] = (),
        edge_attr: Tensor | None = None,
        edge_labels: Iterable[Categories] = (),
        y: Categories | None = None,
        name: str = "graphs",
    ) -> GraphSet:
        """Graphs of ``sizes (G,)`` nodes; edges in any order, once or both ways, as the node numbers of all graphs.

        Of an edge given twice the first counts; one given one way alone has the same attributes the other way. Raises
        :class:`InputError` on an empty set or graph, a number or shape that does not fit, an edge between two graphs,
        and attributes that are not finite.
        """
        sizes, index = sizes.long(), edge_index.long()
        ptr = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        nodes, edges = int(ptr[-1]), index.shape[-1]
        x = torch.zeros(nodes, 0) if x is None else x.float()
        edge_attr = torch.zeros(edges, 0) if edge_attr is None else edge_attr.float()
        node_labels, edge_labels = tuple(node_labels), tuple(edge_labels)
        _check_sizes(name, sizes)
        _check_edges(name, index, ptr)
        _check_rows(name, "node attributes", x, nodes)
        _check_rows(name, "edge attributes", edge_attr, edges)
        for what, labels, count in [("node", node_labels, nodes), ("edge", edge_labels, edges)]:
            for label in labels:
                if len(label.codes) != count:
                    raise InputError(f"{name}: {len(label.codes)} {what} labels do not fit {count} {what}s")
        if y is not None and len(y.codes) != len(sizes):
            raise InputError(f"{name}: {len(y.codes)} classes do not fit {len(sizes)} graphs")
        index, kept = _in_order(index, nodes)
        return cls(ptr, index, x, node_labels, edge_attr[kept], tuple(label[kept] for label in edge_labels), y, name)

    def __len__(self) -> int:
        return len(self.ptr) - 1

    @property
    def sizes(self) -> Tensor:
        """How many nodes each graph has, int64 ``(G,)``."""
        return self.ptr.diff()

    @property
    def edge_ptr(self) -> Tensor:
        """Graph i has the edges ``edge_ptr[i]`` to ``edge_ptr[i + 1] - 1``, int64 ``(G + 1,)``."""
        return torch.searchsorted(self.edge_index[1].contiguous(), self.ptr)

    def __getitem__(self, graphs: Tensor | Sequence[int] | slice) -> GraphSet:
        """The graphs of these numbers, or where a bool ``(G,)`` is True, in that order."""
        numbers = torch.arange(len(self))[graphs if isinstance(graphs, slice) else torch.as_tensor(graphs)]
        nodes, edges = ranges(self.ptr, numbers), ranges(self.edge_ptr, numbers)
        ptr = torch.cat([self.ptr[:1], self.sizes[numbers].cumsum(0)])
        moved = (ptr[:-1] - self.ptr[numbers]).repeat_interleave(self.edge_ptr.diff()[numbers])
        return replace(
            self,
            ptr=ptr,
            edge_index=self.edge_index[:, edges] + moved,
            x=self.x[nodes],
            node_labels=tuple(label[nodes] for label in self.node_labels),
            edge_attr=self.edge_attr[edges],
            edge_labels=tuple(label[edges] for label in self.edge_labels),
            y=None if self.y is None else self.y[numbers],
        )


def ranges(ptr: Tensor, numbers: Tensor) -> Tensor:
    """``ptr[i], ..., ptr[i + 1] - 1`` of every ``i`` among the ``numbers``, one range after another."""
    sizes = ptr.diff()[numbers]
    ends = sizes.cumsum(0)
    return torch.arange(int(sizes.sum())) + (ptr[numbers] - ends + sizes).repeat_interleave(sizes)


def _in_order(index: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Both directions of every edge, once, without loops, by target and source; and which given edge each one is."""
    both = torch.cat([index, index.flip(0)], dim=1)
    given = torch.arange(index.shape[1]).repeat(2)
    proper = (both[0] != both[1]).nonzero().flatten()
    keys = both[1, proper] * nodes + both[0, proper]
    order = keys.argsort(stable=True)  # the given direction comes before its mirror image
    first = torch.ones(len(keys), dtype=torch.bool)
    first[1:] = keys[order].diff() != 0
    kept = proper[order[first]]
    return both[:, kept], given[kept]


def _check_sizes(name: str, sizes: Tensor) -> None:
    if sizes.ndim != 1 or not len(sizes):
        raise InputError(f"{name} has no graphs; give at least one")
    if (empty := (sizes < 1).nonzero()).numel():
        raise InputError(f"{name}: graph {int(empty[0])} has no nodes; leave it out")


def _check_edges(name: str, index: Tensor, ptr: Tensor) -> None:
    if index.ndim != 2 or len(index) != 2:
        raise InputError(f"{name}: edges must be whole numbers (2, edges), not of shape {tuple(index.shape)}")
    nodes = int(ptr[-1])
    if (wrong := (index < 0) | (index >= nodes)).any():
        raise InputError(f"{name}: an edge names node {int(index[wrong][0])}, but nodes are numbered 0 to {nodes - 1}")
    graph = torch.searchsorted(ptr, index.contiguous(), right=True) - 1
    if (across := (graph[0] != graph[1]).nonzero()).numel():
        edge = int(across[0])
        raise InputError(f"{name}: edge {edge} joins graphs {int(graph[0, edge])} and {int(graph[1, edge])}")


def _check_rows(name: str, what: str, values: Tensor, rows: int) -> None:
    if values.ndim != 2 or len(values) != rows:
        raise InputError(f"{name}: {what} must be numbers ({rows}, any), not of shape {tuple(values.shape)}")
    if not values.isfinite().all():
        row = int(values.isfinite().all(dim=1).logical_not().nonzero()[0])
        raise InputError(f"{name}: {what} of number {row} are not finite; fill them in or leave the graph out")
