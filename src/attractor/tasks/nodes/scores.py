"""What the networks say of every node: the probability of an anomaly, or, without labels, how badly it fits its
neighbours and how badly its features are predicted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attractor.energy import Context, Edges
from attractor.models import NodeET
from attractor.training.nodes import reconstruction_error

Scales = dict[str, tuple[float, float]]  # mean and standard deviation of each raw figure


@torch.no_grad()
def probability(members: Sequence[NodeET], x: Tensor, edges: tuple[Edges, ...]) -> NDArray[np.float64]:
    """Mean probability of an anomaly, ``(N,)``."""
    p = [member(x, edges).double().softmax(dim=1)[:, 1] for member in members]
    return torch.stack(p).mean(dim=0).cpu().numpy()


@torch.no_grad()
def raw_figures(members: Sequence[NodeET], x: Tensor, edges: tuple[Edges, ...]) -> dict[str, NDArray[np.float64]]:
    """``energy (N,)``, each node's share at the end of the descent, and ``error (N,)``, log of its features' error."""
    energy, error = [], []
    for member in members:
        g, _ = member.evolve(member.tokens(x), edges)
        energy.append(member.energy.per_token(g.unsqueeze(0), Context(edges=edges)).squeeze(0).double())
        error.append(reconstruction_error(member, x, edges).double())
    mean_error = torch.stack(error).mean(dim=0).clamp(min=torch.finfo(torch.float32).tiny)
    return {"energy": torch.stack(energy).mean(dim=0).cpu().numpy(), "error": mean_error.log().cpu().numpy()}


def scales_of(figures: dict[str, NDArray[np.float64]], nodes: Tensor) -> Scales:
    """Mean and deviation of each figure over some nodes; 1 where a figure varies by rounding alone."""
    moments = {name: (float(v[nodes].mean()), float(v[nodes].std())) for name, v in figures.items()}
    return {name: (mean, std if std > _rounding(mean) else 1.0) for name, (mean, std) in moments.items()}


def combined(figures: dict[str, NDArray[np.float64]], scales: Scales) -> NDArray[np.float64]:
    """Mean of the standardised figures, ``(N,)``; one that differs from the mean by rounding alone is the mean."""
    parts = []
    for name, v in figures.items():
        mean, std = scales[name]
        parts.append(np.where(np.abs(v - mean) > _rounding(mean), v - mean, 0) / std)
    return np.mean(parts, axis=0)


def _rounding(mean: float) -> float:
    """How far float32 may take a figure from its true value."""
    return 1e-5 * max(1.0, abs(mean))
