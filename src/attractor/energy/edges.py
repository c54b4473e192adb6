"""The edges of a graph in compressed rows: who sees whom, and who is seen by whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import torch
from torch import Tensor

from attractor.energy.ops.rows import compress, pieces, transpose
from attractor.errors import InputError

PIECE = 96  # tokens whose queries and keys stay near a processor's core: see benchmarks/LOG.md


@dataclass(frozen=True, eq=False)
class Edges:
    """Token v sees the tokens ``indices[indptr[v] : indptr[v + 1]]``, and is seen by those of ``transposed``.

    ``indptr`` int64 ``(N + 1,)``, ``indices`` int32 ``(E,)``, ascending and without repeats in every row. Of an
    undirected graph ``transposed`` is the graph itself. :meth:`build` makes one; memory is 8 bytes an edge (4 for each
    direction) and 8 a node, 16 if directed; ``order``, once asked for, adds 8 for every entry of ``indices``.
    """

    indptr: Tensor
    indices: Tensor
    reverse: Edges | None = None  # of a directed graph

    @classmethod
    def build(cls, edge_index: Tensor, nodes: int, *, directed: bool = False, self_loops: bool = True) -> Edges:
        """Of ``edge_index (2, E)``, sources above targets, whole numbers from 0 to ``nodes - 1``: targets see sources.

        Undirected, both ends see each other. Every token sees itself with ``self_loops``, else none does; repeated
        edges count once. Raises :class:`InputError` on indices of another shape or kind, or out of range, and on a
        number of nodes that is none.
        """
        _check(edge_index, nodes)
        source, target = edge_index.cpu().resolve_neg()
        rows = cls(*compress(source, target, nodes, both=not directed, loops=self_loops))
        return cls(rows.indptr, rows.indices, cls(*transpose(*rows.arrays))) if directed else rows

    @property
    def nodes(self) -> int:
        """How many tokens there are."""
        return self.indptr.shape[0] - 1

    @property
    def count(self) -> int:
        """How many (target, source) pairs there are, both directions and self-loops counted."""
        return self.indices.shape[0]  # which an export keeps free, as it does not what len returns

    @property
    def arrays(self) -> tuple[Tensor, Tensor]:
        """``indptr`` and ``indices``."""
        return self.indptr, self.indices

    @property
    def transposed(self) -> Edges:
        """Row u holds the tokens that see u."""
        return self.reverse or self

    @cached_property
    def order(self) -> Tensor:
        """For each entry of ``transposed.indices``, where the same edge stands in ``indices``, int64 ``(E,)``."""
        return self.indices.argsort(stable=True)

    @cached_property
    def pieces(self) -> Tensor:
        """Where groups of consecutive tokens begin that no edge connects to another group, and where the last ends.

        Components are joined up to ``PIECE`` tokens.
        """
        return pieces(*self.arrays, PIECE)

    def degrees(self) -> Tensor:
        """How many tokens each one sees, int64 ``(N,)``."""
        return self.indptr.diff()

    def targets(self) -> Tensor:
        """The row of every entry of ``indices``, int64 ``(E,)``."""
        return torch.repeat_interleave(self.degrees(), output_size=self.count)

    def to(self, device: torch.device | str) -> Edges:
        """The same edges on a device."""
        return Edges(self.indptr.to(device), self.indices.to(device), self.reverse and self.reverse.to(device))


def _check(edge_index: Tensor, nodes: int) -> None:
    if not isinstance(edge_index, Tensor):
        raise InputError(f"edge_index must be a tensor (2, edges), not {type(edge_index).__name__}")
    if not isinstance(nodes, Integral) or nodes < 0:
        raise InputError(f"nodes must be a whole number of 0 or more, not {nodes!r}")
    if edge_index.ndim != 2 or len(edge_index) != 2 or edge_index.dtype not in (torch.int32, torch.int64):
        kind = f"{edge_index.dtype} of shape {tuple(edge_index.shape)}"
        raise InputError(f"edge_index must be int32 or int64 of shape (2, edges), not {kind}")
    if nodes >= 2**31:
        raise InputError(f"{nodes} nodes are more than an int32 index can name; split the graph")
    if edge_index.numel():
        low, high = (int(t) for t in edge_index.aminmax())
        if low < 0 or high >= nodes:
            wrong = low if low < 0 else high
            raise InputError(f"edge_index names node {wrong}, but nodes are numbered 0 to {nodes - 1}")
