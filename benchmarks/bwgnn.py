"""BWGNN, written for comparison from its paper.

Tang et al. (2022), Rethinking graph neural networks for anomaly detection.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import torch
from torch import Tensor, nn


class BWGNN(nn.Module):
    r"""Beta wavelets of a network's output, side by side, and a network on them, for one homogeneous graph::

        H = [W_0 Z, ..., W_C Z],   Z = MLP(x),   W_i = (L/2)^i (I - L/2)^(C-i) / (2 B(i+1, C-i+1))

    ``L = I - S``, ``S = D^-1/2 A D^-1/2`` without self-loops, ``B`` the Beta function; ``x (N, F)`` -> ``(N, 2)``.
    All wavelets share the powers of L, hence there are C products with S.
    """

    def __init__(self, features: int, hidden: int = 64, order: int = 2, dropout: float = 0.0):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.register_buffer("wavelets", beta_wavelets(order))
        self.head = nn.Sequential(
            nn.Linear((order + 1) * hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 2)
        )

    def forward(self, x: Tensor, propagate: Callable[[Tensor], Tensor]) -> Tensor:
        """Logits; ``propagate`` multiplies by ``S``."""
        powers = [self.embed(x)]
        for _ in range(len(self.wavelets) - 1):
            powers.append((powers[-1] - propagate(powers[-1])) / 2)  # L/2 once more
        waves = torch.einsum("ij,jnd->nid", self.wavelets, torch.stack(powers))
        return self.head(waves.flatten(1))


def beta_wavelets(order: int) -> Tensor:
    """Row i: the coefficients of the powers of L/2 in ``W_i``, ``(C + 1, C + 1)``."""
    rows = torch.zeros(order + 1, order + 1)
    for i in range(order + 1):
        scale = (order + 1) * comb(order, i) / 2  # 1 / (2 B(i + 1, C - i + 1))
        for j in range(order - i + 1):
            rows[i, i + j] = scale * comb(order - i, j) * (-1) ** j
    return rows
