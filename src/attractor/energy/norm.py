"""Energy layer norm: the map from the state x to the g that energies read, and its Lagrangian."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EnergyLayerNorm(nn.Module):
    r"""Layer norm as the gradient of a convex Lagrangian, one per token::

        L(x) = D gamma sqrt(mean((x - mean x)^2) + eps) + delta . x
        g    = dL/dx = gamma (x - mean x) / sqrt(var x + eps) + delta

    ``J = dg/dx`` is symmetric and, for ``gamma >= 0``, positive semi-definite: that is what makes ``x += alpha
    (-dE/dg)`` a descent. ``gamma`` is a scalar, ``delta (D,)``. Shapes: ``(..., D) -> (..., D)``.
    Source: Energy Transformer (Hoover et al. 2023), section 2 and appendix on the energy's decrease.
    """

    def __init__(self, dim: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(()))
        self.delta = nn.Parameter(torch.zeros(dim))

    def standardize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(x - mean x) / sigma`` and ``sigma = sqrt(var x + eps) (..., 1)``."""
        centred = x - x.mean(dim=-1, keepdim=True)
        sigma = (centred.square().mean(dim=-1, keepdim=True) + self.eps).sqrt()
        return centred / sigma, sigma

    def forward(self, x: Tensor) -> Tensor:
        """``g = LN(x)``."""
        return self.gamma * self.standardize(x)[0] + self.delta

    def lagrangian(self, x: Tensor) -> Tensor:
        """``L(x)`` of every token, ``(..., D) -> (...)``."""
        sigma = self.standardize(x)[1].squeeze(-1)
        return x.shape[-1] * self.gamma * sigma + x @ self.delta

    def energy(self, x: Tensor) -> Tensor:
        """The Legendre transform ``g . x - L(x) = -D gamma eps / sqrt(var x + eps)`` of every token.

        Written in its closed form: the difference of the two would lose every digit. ``(..., D) -> (...)``.
        """
        sigma = self.standardize(x)[1].squeeze(-1)
        return -x.shape[-1] * self.gamma * self.eps / sigma

    def jacobian(self, x: Tensor, v: Tensor) -> Tensor:
        """``J v`` with ``J = dg/dx = gamma/sigma (I - 1 1^T/D - s s^T/D)``, ``s`` the standardised x."""
        s, sigma = self.standardize(x)
        tangent = v - v.mean(dim=-1, keepdim=True) - s * (s * v).mean(dim=-1, keepdim=True)
        return self.gamma / sigma * tangent
