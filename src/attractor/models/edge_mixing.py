"""What multiplies the attention score of every edge: its own features, times how its tokens agree at the start."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attractor.energy import Edges
from attractor.energy.ops import edge_products

TAPS = 4  # the edge itself, its row, its column, the whole


class EdgeMixing(nn.Module):
    r"""A number ``w (E, H)`` for every edge and head, constant while the tokens move::

        w_CBh = (L_CB . a_h) (1 + k_h . [c_CB, mean_B c_CB, mean_C c_CB, mean c])      c_CB = x_C . x_B / D

    ``L (E, C)`` are the features of the edges, ``x (T, D)`` the first tokens; means are over the edges of a token, or
    of its graph. Where the published code lays a 3 x 3 convolution over the matrix of all c, whose neighbours are
    those by number, this takes the means that do not change when nodes are relabelled. Starts at ``w = 1``.
    Source: Hartford et al. 2018, Deep Models of Interactions Across Sets, section 3, for the exchangeable layer.
    """

    def __init__(self, links: int, kinds: int, heads: int):
        super().__init__()
        self.a = nn.Parameter(torch.cat([torch.ones(kinds, heads), torch.zeros(links - kinds, heads)]))
        self.k = nn.Parameter(torch.zeros(TAPS, heads))

    def forward(self, links: Tensor, x: Tensor, edges: Edges, graph: Tensor) -> Tensor:
        """``w (E, H)``; ``graph (T,)`` numbers the graph of every token."""
        c = edge_products.dots(x.unsqueeze(1), x.unsqueeze(1), edges) / x.shape[1]  # (E, 1)
        rows, columns = edges.targets(), edges.indices.long()
        counted, tokens = torch.cat([c, torch.ones_like(c)], dim=1), x.shape[0]
        by_row = _sums(counted, rows, tokens)
        by_column = by_row if edges.reverse is None else _sums(counted, columns, tokens)  # c is symmetric
        by_graph = _sums(by_row, graph, tokens)[graph]
        taps = [c, *(_means(sums)[at] for sums, at in ((by_row, rows), (by_column, columns), (by_graph, rows)))]
        return (links @ self.a) * (1 + torch.cat(taps, dim=1) @ self.k)


def _sums(counted: Tensor, groups: Tensor, count: int) -> Tensor:
    """Over all of a group, which are numbered below ``count``; ``(E, 2) -> (count, 2)``."""
    return counted.new_zeros(count, 2).index_add(0, groups, counted)


def _means(sums: Tensor) -> Tensor:
    """What was summed by how much it was, ``(T, 2) -> (T, 1)``."""
    return sums[:, :1] / sums[:, 1:].clamp(min=1)
