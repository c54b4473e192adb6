"""How the energy of a node splits into shares of its neighbours and of its memories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attractor.dynamics import descend
from attractor.energy import Context, Edges, EnergyAttention, HopfieldMemory
from attractor.models import NodeET


@dataclass(frozen=True, eq=False)
class EnergyShares:
    """Shares in the energy of one node before the first step of the descent and after each; they add up to it.

    It sees node ``sources (S,)`` in relation ``relations (S,)``, which adds ``attention (T+1, S)``,
    the mean of K members; memory number m of member k adds ``memory (T+1, K, M)``, already divided by K.
    """

    sources: Tensor
    relations: Tensor
    attention: Tensor
    memory: Tensor


@torch.no_grad()
def energy_shares(
    members: Sequence[NodeET], x: Tensor, edges: tuple[Edges, ...], nodes: Sequence[int]
) -> list[EnergyShares]:
    r"""Take the energy of each of the ``nodes`` apart, which is a sum over whom it sees and what it remembers::

        E_v = -sum_h 1/beta_h lse_vh - sum_mu relu(h_mu)^2 / 2          P_vuh = exp(s_vuh - lse_vh)
            = sum_u -sum_h P_vuh lse_vh / beta_h  +  sum_mu -relu(h_mu)^2 / 2

    the first over all relations. Since P sums to 1 over u, and lse_vh = s_vuh - log P_vuh for every u, what u adds is
    the mean over P of its score and of its surprise. ``x (N, F)`` and ``edges`` are a member's; each of them descends
    once on the whole graph. Shares are float64.
    """
    parts = [_of_member(member, x, edges, nodes) for member in members]
    return [
        EnergyShares(
            *_seen(edges, node),
            attention=torch.stack([attention for attention, _ in of_node]).mean(dim=0),
            memory=torch.stack([memory for _, memory in of_node], dim=1) / len(members),
        )
        for node, of_node in zip(nodes, zip(*parts, strict=True), strict=True)
    ]


def _of_member(model: NodeET, x: Tensor, edges: tuple[Edges, ...], nodes: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Attention ``(T+1, S)`` and memory ``(T+1, M)`` of every node."""
    attention: list[list[Tensor]] = [[] for _ in nodes]
    memory: list[list[Tensor]] = [[] for _ in nodes]
    for state in _states(model, x, edges):
        for i, node in enumerate(nodes):
            attention[i].append(_attention(model, state, edges, node))
            memory[i].append(_memory(model, state, node))
    return [(torch.stack(a), torch.stack(m)) for a, m in zip(attention, memory, strict=True)]


def _states(model: NodeET, x: Tensor, edges: tuple[Edges, ...]) -> Iterator[Tensor]:
    """``x_0`` to ``x_T``, each ``(N, D)``, one at a time: of a large graph there is no room for a trace."""
    state = model.tokens(x).unsqueeze(0)
    yield state[0]
    step_size = model.config.step_size
    for _ in range(model.config.steps):
        state, _ = descend(model.energy, model.norm, state, steps=1, step_size=step_size, context=Context(edges=edges))
        yield state[0]


def _attention(model: NodeET, state: Tensor, edges: tuple[Edges, ...], node: int) -> Tensor:
    """``-sum_h P_vuh lse_vh / beta_h``, ``(N, D) -> (S,)``, one relation after another."""
    shares = []
    for attention in model.energy.terms:
        if isinstance(attention, EnergyAttention):
            row = _row(edges[attention.relation], node)
            g = model.norm(state[torch.cat([row.new_tensor([node]), row])]).unsqueeze(0)
            q, k = attention.queries_keys(g)
            scores = (q[0, :, :1] @ k[0, :, 1:].mT).double()  # (H, 1, S)
            energy = -scores.logsumexp(dim=-1, keepdim=True) / attention.beta
            shares.append((scores.softmax(dim=-1) * energy).sum(dim=(0, 1)))
    return torch.cat(shares).cpu()


def _memory(model: NodeET, state: Tensor, node: int) -> Tensor:
    """``-relu(h_mu)^2 / 2``, ``(N, D) -> (M,)``."""
    g = model.norm(state[[node]]).unsqueeze(0)
    pulls = [memory.pulls(g) for memory in model.energy.terms if isinstance(memory, HopfieldMemory)]
    return -torch.cat(pulls, dim=-1).flatten().double().square().cpu() / 2


def _seen(edges: tuple[Edges, ...], node: int) -> tuple[Tensor, Tensor]:
    """Whom the node sees, and in which relation, each ``(S,)``."""
    rows = [_row(relation, node).cpu() for relation in edges]
    numbers = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(row) for row in rows]))
    return torch.cat(rows), numbers


def _row(edges: Edges, node: int) -> Tensor:
    """Whom the node sees in one relation, int64."""
    return edges.indices[int(edges.indptr[node]) : int(edges.indptr[node + 1])].long()
