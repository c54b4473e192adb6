"""Energy Transformer on the nodes of a graph: tokens that see their neighbours, of any number, on one energy."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from attractor.dynamics import Rule, Trace, descend
from attractor.energy import Context, Edges, EnergyAttention, EnergyLayerNorm, EnergySum, HopfieldMemory
from attractor.energy.ops import Linear
from attractor.energy.ops.in_blocks import in_blocks
from attractor.errors import InputError
from attractor.models.config import NodeETConfig
from attractor.models.standardize import Standardize


class NodeET(nn.Module):
    r"""Features to tokens, ``steps`` steps down one energy over the edges, and a reading of where each token ended::

        x_0 = W z + b, z features standardised        x_{t+1} = x_t - alpha dE/dg,   g = LN(x_t)
        E   = sum_relations E_attention(g) + E_memory(g)
        logits = MLP([x_0, g_T])                      features' = W' g_T + b'

    Nothing in it depends on the number of nodes. ``x (N, F)`` are raw features, ``edges`` one a relation; logits
    ``(N, classes)``. Without gradients memory is a few times ``N D``. Raises :class:`InputError` on features or
    relations of another number.
    Source: Energy Transformer (Hoover et al. 2023), section 4; the published node network has no step size, replaces
    x by the update, and is in :mod:`attractor.models.published_nodes`.
    """

    def __init__(self, config: NodeETConfig):
        super().__init__()
        self.config = config
        dim = config.dim
        self.standardize = Standardize(config.features)
        self.embedding = Linear(config.features, dim)
        self.dropout = nn.Dropout(config.dropout)
        self.norm = EnergyLayerNorm(dim)
        attention = [
            EnergyAttention(dim, config.heads, config.head_dim, learn_beta=True, relation=relation)
            for relation in range(config.relations)
        ]
        self.energy = EnergySum([*attention, HopfieldMemory(dim, config.memories)])
        self.head = nn.Sequential(
            nn.LayerNorm(2 * dim),
            Linear(2 * dim, dim),
            nn.GELU(),
            nn.Dropout(config.dropout),
            Linear(dim, config.classes),
        )
        self.decoder = Linear(dim, config.features)

    def forward(self, x: Tensor, edges: tuple[Edges, ...], nodes: Tensor | None = None) -> Tensor:
        """Logits ``(N, classes)``, or of these ``nodes`` alone."""
        tokens = self.tokens(x)
        g, _ = self.evolve(tokens, edges)
        return self.read(tokens, g) if nodes is None else self.read(tokens[nodes], g[nodes])

    def used(self) -> tuple[Tensor, Tensor]:
        """What becomes of every feature ``(D, F)``, and in the head of every entry of ``g_T (D, D)``, one a column."""
        return self.embedding.weight, cast(Tensor, self.head[1].weight)[:, self.config.dim :]

    def reconstruct(self, x: Tensor, edges: tuple[Edges, ...]) -> Tensor:
        """Standardised features ``(N, F)`` as the tokens show them in the end, also those that ``x`` hides."""
        return self.decoder(self.evolve(self.tokens(x), edges)[0])

    def hide(self, x: Tensor, hidden: Tensor) -> Tensor:
        """``x`` with the mean of the feature wherever ``hidden (N, F)`` is True."""
        return torch.where(hidden, self.standardize.mean, x)

    def tokens(self, x: Tensor) -> Tensor:
        """``x_0 (N, D)``."""
        return self.dropout(in_blocks(lambda x: self.embedding(self.standardize(x)), x, dim=0))

    def evolve(
        self,
        tokens: Tensor,
        edges: tuple[Edges, ...],
        rule: str | Rule = "fixed",
        trace: bool | Literal["tokens"] = False,
    ) -> tuple[Tensor, Trace | None]:
        """``g_T (N, D)`` and, when asked for, the trace of the descent."""
        if len(edges) != self.config.relations:
            raise InputError(f"the model was made for {self.config.relations} relations, not {len(edges)}")
        x, walked = descend(
            self.energy,
            self.norm,
            tokens.unsqueeze(0),
            steps=self.config.steps,
            step_size=self.config.step_size,
            rule=rule,
            trace=trace,
            context=Context(edges=edges),
        )
        return self.norm(x).squeeze(0), walked

    def read(self, tokens: Tensor, g: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of where the tokens began and ended."""
        return in_blocks(lambda x, g: self.head(self.dropout(torch.cat([x, g], dim=1))), tokens, g, dim=0)
