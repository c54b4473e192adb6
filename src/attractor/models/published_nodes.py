"""The published network for anomalous nodes with its flaws, to compare with and not to use: see ``NodeET`` for that.

Scores are clamped to [-5, 5], so that the update is not the gradient of the energy; its second half runs over in-edges,
which is the energy's own for undirected graphs alone; tokens step by 1, from their normalised selves.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from attractor.energy import Edges

LIMIT = 5.0
# Published parameters that no output depends on; the first has a row for every node of the graph trained on.
UNUSED = ("pos_embedding.", ".O.", ".beta_2", ".layer_norm2.")


def used(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict without its ``UNUSED`` entries: what :class:`PublishedNodeNet` loads."""
    return {name: t for name, t in weights.items() if not any(part in name for part in UNUSED)}


class PublishedNodeNet(nn.Module):
    """Embedding, ``layers`` steps of which all but the last share weights, and a linear map to ``classes`` logits.

    ``forward(x, edges)``: ``(N, features)`` to ``(N, classes)``. With ``concatenate`` the last map reads the embedding
    too (published: where the graph is not subsampled). Names of weights are the published ones. Memory is
    O(edges x heads), and nothing depends on N.
    """

    def __init__(
        self,
        features: int,
        dim: int,
        heads: int,
        *,
        layers: int = 3,
        ffn: int = 2,
        classes: int = 2,
        concatenate: bool = True,
        dropout: float = 0.3,
    ):
        super().__init__()
        self.shared_steps, self.concatenate = layers - 1, concatenate
        self.embedding_h = nn.Linear(features, dim)
        self.layers = PublishedLayer(dim, heads, ffn=ffn, dropout=dropout)
        self.layers_out = PublishedLayer(dim, heads, ffn=ffn, dropout=dropout)
        self.MLP_layer = nn.Linear((1 + concatenate) * dim, classes)

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        """The logits of every node."""
        embedded = h = self.embedding_h(x)
        for _ in range(self.shared_steps):
            h = self.layers(h, edges)
        h = self.layers_out(h, edges)
        return self.MLP_layer(torch.cat([h, embedded], dim=-1) if self.concatenate else h)


class PublishedLayer(nn.Module):
    """``attention(g) + relu(g W) W^T + g``, ``g`` the normalised tokens ``(N, D)``; the last if ``residual``."""

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        ffn: int = 2,
        layer_norm: bool = True,
        residual: bool = True,
        dropout: float = 0.3,
    ):
        super().__init__()
        self.residual = residual
        self.attention = PublishedAttention(dim, heads)
        self.W = nn.Parameter(torch.empty(dim, ffn * dim).uniform_(-1 / math.sqrt(dim), 1 / math.sqrt(dim)))
        self.layer_norm1 = nn.LayerNorm(dim) if layer_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, edges: Edges) -> Tensor:
        """Tokens after the step."""
        g = self.layer_norm1(h)
        drawn = self.attention(g, edges) + self.dropout((g @ self.W).relu()) @ self.W.T
        return drawn + g if self.residual else drawn


class PublishedAttention(nn.Module):
    """``sum_h Q (sum_u P_vu k_u) + K (sum_u R_vu q_u)`` with u the sources of v, and q = g Q, k = g K per head::

        s(u, v) = exp clamp(k_u . q_v / beta)      z_v = sum_u s(u, v)
        P_vu = s(u, v) / z_v                       R_vu = exp clamp(q_u . k_v / beta) / z_u

    ``Q, K (D, H, D)``; ``beta`` is a divisor, sqrt(D) at the start. A node without edges, published NaN, feels nothing.
    """

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.Q = nn.Parameter(torch.randn(dim, heads, dim) / math.sqrt(dim))
        self.K = nn.Parameter(torch.randn(dim, heads, dim) / math.sqrt(dim))
        self.beta = nn.Parameter(torch.tensor([math.sqrt(dim)]))

    def forward(self, g: Tensor, edges: Edges) -> Tensor:
        """What takes the place of the force, ``(N, D)``."""
        pattern, target, source = _Pattern(edges), edges.targets(), edges.indices.long()
        drawn = torch.zeros_like(g)
        for wq, wk in zip(self.Q.unbind(1), self.K.unbind(1), strict=True):
            q, k = g @ wq, g @ wk
            s, s2 = (self._weights(_Dots.apply(a, b, pattern)) for a, b in ((q, k), (k, q)))
            z = torch.zeros_like(g[:, 0]).index_add(0, target, s)
            mix = _Sums.apply(s / z.index_select(0, target), k, pattern)
            pull = _Sums.apply(s2 / z.index_select(0, source), q, pattern)
            drawn = drawn + mix @ wq.T + pull @ wk.T
        return drawn

    def _weights(self, scores: Tensor) -> Tensor:
        return (scores / self.beta).clamp(-LIMIT, LIMIT).exp()


class _Pattern:
    """Products of matrices that have a number an edge, those of row v in the columns v sees, by torch's sparse ones."""

    def __init__(self, edges: Edges):
        self.indptr, self.indices, n = edges.indptr, edges.indices.long(), edges.nodes
        self.t_indptr, self.t_indices = edges.transposed.indptr, edges.transposed.indices.long()
        self.order, self.shape = self.indices.argsort(stable=True), (n, n)  # where the transpose has its numbers from

    def dots(self, a: Tensor, b: Tensor) -> Tensor:
        """``a_v . b_u`` of every edge, ``(N, Y), (N, Y) -> (E,)``."""
        zeros = self._matrix(self.indptr, self.indices, a.new_zeros(len(self.indices)))
        return torch.sparse.sampled_addmm(zeros, a, b.T, beta=0.0).values()

    def sums(self, p: Tensor, b: Tensor) -> Tensor:
        """``sum_u p_vu b_u``, ``(E,), (N, Y) -> (N, Y)``."""
        return self._matrix(self.indptr, self.indices, p) @ b

    def sums_over_rows(self, p: Tensor, a: Tensor) -> Tensor:
        """``sum_v p_vu a_v``."""
        return self._matrix(self.t_indptr, self.t_indices, p[self.order]) @ a

    def _matrix(self, indptr: Tensor, indices: Tensor, values: Tensor) -> Tensor:
        return torch.sparse_csr_tensor(indptr, indices, values, self.shape, check_invariants=False)


class _Dots(torch.autograd.Function):  # torch's own derivatives of both transpose by a sort, every time
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, pattern: _Pattern) -> Tensor:
        ctx.save_for_backward(a, b)
        ctx.pattern = pattern
        return pattern.dots(a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        a, b = ctx.saved_tensors
        return ctx.pattern.sums(grads[0], b), ctx.pattern.sums_over_rows(grads[0], a), None


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, b: Tensor, pattern: _Pattern) -> Tensor:
        ctx.save_for_backward(p, b)
        ctx.pattern = pattern
        return pattern.sums(p, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        p, b = ctx.saved_tensors
        grad = grads[0].contiguous()
        return ctx.pattern.dots(grad, b), ctx.pattern.sums_over_rows(p, grad), None
