"""Graphs side by side as one: what :class:`attractor.models.GraphET` takes, without any padding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from attractor.energy import Edges

NODE_NODE, NODE_READER, READER_NODE = range(3)  # columns of ``links``: who sees whom
KINDS = 3


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """G graphs as T tokens: for each graph first its reader, a token that sees all its nodes, then the nodes.

    ``x (T, F)``: features, and ``positions (T, P)``: where in its graph a node is, both without meaning for readers.
    ``eigenvectors (T, K)``: of the graph's Laplacian, with signs that mean nothing. ``edges``: who sees whom, no token
    itself. ``links (E, C)``: of every edge which of the three kinds it is, and then its features. ``ptr (G + 1,)``:
    graph i has the tokens ``ptr[i]`` to ``ptr[i + 1] - 1``.
    """

    x: Tensor
    positions: Tensor
    eigenvectors: Tensor
    edges: Edges
    links: Tensor
    ptr: Tensor

    @property
    def readers(self) -> Tensor:
        """Which tokens are readers, int64 ``(G,)``."""
        return self.ptr[:-1]

    @cached_property
    def graph(self) -> Tensor:
        """The graph of every token, int64 ``(T,)``."""
        return torch.repeat_interleave(self.ptr.diff(), output_size=self.x.shape[0])

    @cached_property
    def is_node(self) -> Tensor:
        """Which tokens are nodes, bool ``(T,)``."""
        return torch.ones(self.x.shape[0], dtype=torch.bool, device=self.x.device).index_fill(0, self.readers, False)

    def mean_over_nodes(self, v: Tensor) -> Tensor:
        """The mean over the nodes of every graph, ``(T, D) -> (G, D)``."""
        total = v.new_zeros(self.ptr.shape[0] - 1, v.shape[1]).index_add(0, self.graph, v * self.is_node.unsqueeze(1))
        return total / (self.ptr.diff() - 1).unsqueeze(1)

    def to(self, device: torch.device | str) -> GraphBatch:
        """The same batch on a device."""
        parts = {name: getattr(self, name).to(device) for name in self.__dataclass_fields__}
        return replace(self, **parts)
