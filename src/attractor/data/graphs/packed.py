"""A graph set as a network sees it: numbers alone, in the order in which batches are cut out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.data.graphs.graph_set import Carried, Categories, GraphSet, Value, ranges
from attractor.data.graphs.structure import eigenvectors, walks
from attractor.energy import Edges
from attractor.errors import InputError
from attractor.models.graph_batch import KINDS, NODE_NODE, NODE_READER, READER_NODE, GraphBatch


@dataclass(frozen=True)
class Encoder:
    """How a :class:`GraphSet` becomes numbers, as the graphs it was made for have it.

    ``node_values`` and ``edge_values``: of every label its values, each of which becomes a column; another value is a 0
    in all of them. ``attributes`` and ``edge_attributes``: how many there are. ``walks``: steps of the random walks
    that tell nodes and edges apart. ``eigenvectors``: how many of the Laplacian; with any the answer depends on how
    nodes are numbered. ``carried``: the names of labels and attributes, as the graphs have it.
    """

    node_values: tuple[tuple[Value, ...], ...]
    edge_values: tuple[tuple[Value, ...], ...]
    attributes: int
    edge_attributes: int
    walks: int = 16
    eigenvectors: int = 0
    carried: tuple[Carried, Carried] | None = None

    @classmethod
    def of(cls, graphs: GraphSet, walks: int = 16, eigenvectors: int = 0) -> Encoder:
        """For graphs that are labelled as these are."""
        node, edge = (tuple(map(Categories.occurring, labels)) for labels in (graphs.node_labels, graphs.edge_labels))
        return cls(node, edge, graphs.x.shape[1], graphs.edge_attr.shape[1], walks, eigenvectors, graphs.carried)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Encoder:
        """Read what ``dataclasses.asdict`` and JSON made of one."""
        labels = {name: tuple(map(tuple, values[name])) for name in ("node_values", "edge_values")}
        carried = values.get("carried")
        return cls(**{**values, **labels, "carried": carried and tuple(tuple(map(tuple, part)) for part in carried)})

    @property
    def features(self) -> int:
        """Columns of ``x``."""
        return self.attributes + sum(map(len, self.node_values))

    @property
    def positions(self) -> int:
        """Columns of ``positions``: walks, and the logarithms of 1 and the degree, and of the nodes of the graph."""
        return self.walks + 2

    @property
    def links(self) -> int:
        """Columns of ``links``."""
        return KINDS + self.edge_attributes + sum(map(len, self.edge_values)) + self.walks

    def encode(self, graphs: GraphSet) -> PackedGraphs:
        """The graphs as numbers. Raises :class:`InputError` where they have other labels or attributes."""
        self._check(graphs)
        at_nodes, along_edges = walks(graphs, self.walks)
        degree = torch.bincount(graphs.edge_index[1], minlength=len(graphs.x)).float().log1p().unsqueeze(1)
        size = graphs.sizes.float().log().repeat_interleave(graphs.sizes).unsqueeze(1)
        x = torch.cat([*map(_hot, graphs.node_labels, self.node_values), graphs.x], dim=1)
        positions = torch.cat([at_nodes, degree, size], dim=1)
        bonds = torch.zeros(0, self.links - KINDS)
        if len(along_edges):
            bonds = torch.cat([*map(_hot, graphs.edge_labels, self.edge_values), graphs.edge_attr, along_edges], dim=1)
        return _with_readers(graphs, x, positions, eigenvectors(graphs, self.eigenvectors), bonds)

    def _check(self, graphs: GraphSet) -> None:
        numbers = [
            ("node labels", len(graphs.node_labels), len(self.node_values)),
            ("node attributes", graphs.x.shape[1], self.attributes),
        ]
        if graphs.edge_index.numel():  # without edges there is nothing on them
            numbers += [
                ("edge labels", len(graphs.edge_labels), len(self.edge_values)),
                ("edge attributes", graphs.edge_attr.shape[1], self.edge_attributes),
            ]
        for what, found, known in numbers:
            if found != known:
                raise InputError(f"{graphs.name} has {found} {what}, not {known} as fitted on; give graphs of one kind")


@dataclass(frozen=True, eq=False)
class PackedGraphs:
    """Graphs with their readers, one after another; :meth:`batch` takes any of them side by side.

    As :class:`GraphBatch`, of all graphs; ``neighbours (E,)`` number the tokens of each graph from 0, and the edges of
    graph i are ``edge_ptr[i]`` to ``edge_ptr[i + 1] - 1``.
    """

    x: Tensor
    positions: Tensor
    eigenvectors: Tensor
    degrees: Tensor
    neighbours: Tensor
    links: Tensor
    ptr: Tensor
    edge_ptr: Tensor

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def batch(self, graphs: Tensor | Sequence[int]) -> GraphBatch:
        """The graphs of these numbers, in that order."""
        graphs = torch.as_tensor(graphs)
        tokens, edges = ranges(self.ptr, graphs), ranges(self.edge_ptr, graphs)
        ptr, indptr = _ends(self.ptr.diff()[graphs]), _ends(self.degrees[tokens])
        shift = ptr[:-1].repeat_interleave(self.edge_ptr.diff()[graphs])
        indices = (self.neighbours[edges] + shift).int()
        return GraphBatch(
            self.x[tokens],
            self.positions[tokens],
            self.eigenvectors[tokens],
            Edges(indptr, indices),
            self.links[edges],
            ptr,
        )


def _with_readers(graphs: GraphSet, x: Tensor, positions: Tensor, vectors: Tensor, bonds: Tensor) -> PackedGraphs:
    """A reader before the nodes of every graph, which sees all of them and is seen by them."""
    count, sizes, starts = len(graphs), graphs.sizes, graphs.ptr[:-1]
    graph = torch.arange(count).repeat_interleave(sizes)
    node, reader = torch.arange(len(x)) + graph + 1, starts + torch.arange(count)
    source, target = node[graphs.edge_index]
    edges = torch.stack([torch.cat([source, reader[graph], node]), torch.cat([target, node, reader[graph]])])
    total = len(x) + count
    order = (edges[1] * total + edges[0]).argsort()
    kinds = torch.tensor([NODE_NODE, NODE_READER, READER_NODE]).repeat_interleave(
        torch.tensor([len(source), len(x), len(x)])
    )
    links = torch.cat([F.one_hot(kinds, KINDS).float(), F.pad(bonds, (0, 0, 0, 2 * len(x)))], dim=1)
    ptr = graphs.ptr + torch.arange(count + 1)
    source = edges[0, order]
    edge_ptr = torch.searchsorted(edges[1, order], ptr)
    x, positions, vectors = (t.new_zeros(total, t.shape[1]).index_copy(0, node, t) for t in (x, positions, vectors))
    return PackedGraphs(
        x,
        positions,
        vectors,
        degrees=torch.bincount(edges[1], minlength=total),
        neighbours=source - ptr[:-1].repeat_interleave(edge_ptr.diff()),
        links=links[order],
        ptr=ptr,
        edge_ptr=edge_ptr,
    )


def _hot(label: Categories, values: Sequence[Value]) -> Tensor:
    """A column for every value, ``(n, values)``."""
    codes = label.among(values)
    return F.one_hot(codes.clamp(min=0), max(1, len(values)))[:, : len(values)].float() * (codes >= 0).unsqueeze(1)


def _ends(sizes: Tensor) -> Tensor:
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
