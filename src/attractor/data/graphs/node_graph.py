"""One graph whose nodes have features, and labels where they are known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attractor.energy import Edges
from attractor.errors import InputError


@dataclass(frozen=True, eq=False)
class NodeGraph:
    """Nodes, what joins them, and which of them are anomalous.

    ``x``: float32 ``(N, F)``, finite. ``relations``: by name, ``edge_index (2, E)`` int32 or int64, sources above
    targets. ``y``: int64 ``(N,)``, 1 anomalous, 0 normal, -1 not known; None where nothing is. ``directed``: whether an
    edge is seen by its target alone. ``ids``: what the nodes are called, where not by their numbers. ``columns``: the
    names of the features, where they have any.
    Raises :class:`InputError` naming what is wrong, and where.
    """

    x: Tensor
    relations: dict[str, Tensor]
    y: Tensor | None = None
    directed: bool = False
    name: str = "graph"
    ids: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.x.dtype != torch.float32 or not self.x.numel():
            raise InputError(f"{self.name}: x must be float32 (nodes, features), not {_what(self.x)}")
        if not all(bound.isfinite() for bound in self.x.aminmax()):
            node = int(self.x.isfinite().all(dim=1).logical_not().nonzero()[0])
            raise InputError(f"{self.name}: the features of node {node} are not finite; fill them in, or drop the node")
        if not self.relations:
            raise InputError(f"{self.name} has no edges; give at least one edge_index, of shape (2, 0) if need be")
        if self.y is not None:
            if self.y.shape != self.x.shape[:1] or self.y.dtype != torch.int64:
                raise InputError(f"{self.name}: y must be int64 ({len(self.x)},), not {_what(self.y)}")
            if ((self.y < -1) | (self.y > 1)).any():
                strange = int(self.y[(self.y < -1) | (self.y > 1)][0])
                raise InputError(f"{self.name}: y must be 1 (anomalous), 0 (normal) or -1 (not known), not {strange}")

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.x)

    def number(self, name: str) -> int:
        """The number of the node of that name: its id, where there are ids; else :class:`InputError`."""
        known = self.ids or range(self.nodes)
        for number, other in enumerate(known):
            if str(other) == name:
                return number
        what = "ids" if self.ids else f"numbers from 0 to {self.nodes - 1}"
        raise InputError(f"{self.name} has no node {name!r}; its nodes have {what}")

    def edges(self, merged: bool = True) -> tuple[Edges, ...]:
        """The relations merged into one set of edges, or each alone in the order of their names; no node sees itself.

        A token attends to others, as in the energy's definition; the published code adds self-loops, and nodes then
        soon see nobody else. Raises :class:`InputError` on an index that no node has, naming the relation.
        """
        return tuple(self._edges(name, index) for name, index in self._parts(merged).items())

    def _parts(self, merged: bool) -> dict[str, Tensor]:
        if not merged or len(self.relations) == 1:
            return dict(sorted(self.relations.items()))
        return {"all relations": torch.cat([index.long() for index in self.relations.values()], dim=1)}

    def _edges(self, name: str, index: Tensor) -> Edges:
        try:
            return Edges.build(index, self.nodes, directed=self.directed, self_loops=False)
        except InputError as error:
            raise InputError(f"{self.name}, {name}: {error}") from None


def _what(t: Tensor) -> str:
    return f"{t.dtype} of shape {tuple(t.shape)}"
