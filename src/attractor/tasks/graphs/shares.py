"""What every pair of tokens and every token's memory add to the energy of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from attractor.models import GraphBatch, GraphET
from attractor.models.energy_block import EnergyBlock


class EnergyShares(NamedTuple):
    """Shares in the energy of a batch's last block where its descent ends: ``pairs`` and ``memory`` add up to it.

    ``pairs (E,)``: of the attention along every edge of the batch, in its order. ``memory (T,)``: of every token.
    ``attention (E,)``: P along every edge, mean over heads. ``energies (blocks, 2)``: of the whole batch where every
    block's descent begins and where it ends. All are float64.
    """

    pairs: Tensor
    memory: Tensor
    attention: Tensor
    energies: Tensor


@torch.no_grad()
def energy_shares(members: Sequence[GraphET], batch: GraphBatch) -> EnergyShares:
    r"""Take the energy of graphs apart, which is a sum over who sees whom and what each token remembers::

        E = sum_C -sum_o 1/beta_o lse_oC              + sum_C -G(h_C)          P_oCB = exp(S_oCB - lse_oC)
          = sum_CB -sum_o P_oCB lse_oC / beta_o       + sum_C -G(h_C)

    since P sums to 1 over B; see :func:`attractor.tasks.nodes.shares.energy_shares`. Of several members the mean.
    """
    parts = [_of_member(member, batch) for member in members]
    return EnergyShares(*(torch.stack(part).mean(dim=0) for part in zip(*parts, strict=True)))


def _of_member(model: GraphET, batch: GraphBatch) -> EnergyShares:
    context = model.context(batch, model.tokens(batch))
    tokens, traces = model.evolve(batch, trace=True)
    block, g = cast(EnergyBlock, model.blocks[-1]), tokens.unsqueeze(0)
    p = block.attention.maps(g, context)[0].double()  # (H, E)
    of_heads = block.attention.per_head(g, context)[0].double()  # (H, T)
    return EnergyShares(
        pairs=(p * of_heads[:, batch.edges.targets()]).sum(dim=0).cpu(),
        memory=block.memory.per_token(g, context)[0].double().cpu(),
        attention=p.mean(dim=0).cpu(),
        energies=torch.stack([trace.energies[[0, -1], 0].double().cpu() for trace in traces]),
    )
