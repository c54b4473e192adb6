"""Energy Transformer on whole graphs: nodes and a reader that sees all of them, on an energy a block."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from attractor.dynamics import Rule, Trace, descend_blocks
from attractor.dynamics.fixed import Fixed
from attractor.energy import Context, EnergyAttention, HopfieldMemory
from attractor.energy.ops import Linear
from attractor.errors import InputError
from attractor.models.config import GraphETConfig
from attractor.models.edge_mixing import EdgeMixing
from attractor.models.energy_block import EnergyBlock
from attractor.models.graph_batch import KINDS, GraphBatch
from attractor.models.standardize import Standardize


class GraphET(nn.Module):
    r"""Nodes to tokens, ``blocks`` times ``steps`` steps down energies along the edges, and a reading of each graph::

        x_0 = W z + P p + b, z features and p positions standardised; of a reader a token of its own
        E   = E_attention(g; w) + E_memory(g)         w = EdgeMixing(x_0), heads mixed, beta learnt
        x_{t+1} = x_t - alpha dE/dg,  g = LN(x_t)     logits = MLP([g_T of the reader, mean g_T of the nodes])

    Whom a token sees is a mask, nothing is padded, and nothing depends on how nodes are numbered or on the other
    graphs of a batch; only ``eigenvectors`` bring the former back. Takes a :class:`GraphBatch` of G graphs and gives
    logits ``(G, classes)``. The cost is that of the nodes and edges there are. Raises :class:`InputError` on graphs
    with another number of features, positions, eigenvectors or links.
    Source: Energy Transformer (Hoover et al. 2023), section 5; the published network, with the flaws that ours is
    without, is :class:`attractor.models.published_graphs.PublishedGraphNet`.
    """

    def __init__(self, config: GraphETConfig):
        super().__init__()
        self.config = config
        dim = config.dim
        self.standardize = Standardize(config.features)
        self.standardize_positions = Standardize(config.positions)
        self.standardize_links = Standardize(config.links)
        self.embedding = Linear(config.features + config.positions + config.eigenvectors, dim)
        self.reader = nn.Parameter(torch.randn(dim))
        self.mixing = EdgeMixing(config.links, KINDS, config.heads)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(_block(config) for _ in range(config.blocks))
        self.head = nn.Sequential(
            nn.LayerNorm(2 * dim),
            nn.Dropout(config.dropout),
            Linear(2 * dim, dim),
            nn.GELU(),
            nn.Dropout(config.dropout),
            Linear(dim, config.classes),
        )

    @property
    def descents(self) -> list[EnergyBlock]:
        """The blocks in their order."""
        return [cast(EnergyBlock, block) for block in self.blocks]

    def fit_scales(self, batch: GraphBatch) -> None:
        """Take the means and deviations of what is known of nodes and edges from these graphs."""
        between_nodes = batch.links[:, 0] > 0
        self.standardize.fit(batch.x[batch.is_node])
        self.standardize_positions.fit(batch.positions[batch.is_node])
        if between_nodes.any():
            self.standardize_links.fit(batch.links[between_nodes])

    def forward(self, batch: GraphBatch) -> Tensor:
        """Logits ``(G, classes)``."""
        return self.head(self.read(batch))

    def read(self, batch: GraphBatch) -> Tensor:
        """The latent of every graph, ``(G, 2 D)``: ``g_T`` of its reader, and their mean over its nodes."""
        g, _ = self.evolve(batch)
        return torch.cat([g[batch.readers], batch.mean_over_nodes(g)], dim=1)

    def tokens(self, batch: GraphBatch) -> Tensor:
        """``x_0 (T, D)``."""
        known = [self.standardize(batch.x), self.standardize_positions(batch.positions)]
        if self.config.eigenvectors:
            known.append(self._signed(batch))
        x = self.embedding(torch.cat(known, dim=1))
        return self.dropout(torch.where(batch.is_node.unsqueeze(1), x, self.reader))

    def evolve(
        self, batch: GraphBatch, rule: str | Rule = "fixed", trace: bool | Literal["tokens"] = False
    ) -> tuple[Tensor, list[Trace]]:
        """``g_T (T, D)`` and, when asked for, the trace of every block's descent."""
        config = self.config
        self._check(batch)
        if self.training and config.noise and rule == "fixed":
            rule = Fixed(noise=config.noise)
        x = self.tokens(batch)
        x, traces = descend_blocks(
            [(block.energy, block.norm) for block in self.descents],
            x.unsqueeze(0),
            steps=config.steps,
            step_size=config.step_size,
            rule=rule,
            trace=trace,
            context=self.context(batch, x),
        )
        return self.descents[-1].norm(x).squeeze(0), traces

    def context(self, batch: GraphBatch, x: Tensor) -> Context:
        """Who sees whom and with what weight, for the first tokens ``x (T, D)``."""
        weights = self.mixing(self._links(batch), x, batch.edges, batch.graph)
        return Context(edges=(batch.edges,), weights=weights)

    def _check(self, batch: GraphBatch) -> None:
        for what, found, wanted in [
            ("features", batch.x, self.config.features),
            ("positions", batch.positions, self.config.positions),
            ("eigenvectors", batch.eigenvectors, self.config.eigenvectors),
            ("links", batch.links, self.config.links),
        ]:
            if found.shape[1] != wanted:
                raise InputError(
                    f"graphs have {found.shape[1]} {what}, not {wanted}; encode them as those the model was made for"
                )

    def _links(self, batch: GraphBatch) -> Tensor:
        known = self.standardize_links(batch.links) * (batch.links[:, :1] > 0)
        return torch.cat([batch.links[:, :KINDS], known[:, KINDS:]], dim=1)

    def _signed(self, batch: GraphBatch) -> Tensor:
        """Eigenvectors with a random sign for each graph and vector while training."""
        if not self.training:
            return batch.eigenvectors
        count = (len(batch.readers), self.config.eigenvectors)
        signs = torch.randint(2, count, device=batch.x.device).to(batch.x.dtype) * 2 - 1
        return batch.eigenvectors * signs[batch.graph]


def _block(config: GraphETConfig) -> EnergyBlock:
    attention = EnergyAttention(config.dim, config.heads, config.head_dim, learn_beta=True, mix_heads=True)
    return EnergyBlock(config.dim, attention, HopfieldMemory(config.dim, config.memories, activation=config.activation))
