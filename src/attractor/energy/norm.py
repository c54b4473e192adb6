"""Energy layer norm: the map from the state x to the g that energies read, and its Lagrangian."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.energy.checks import require_positive, require_same_dtype, require_sizes
from attractor.energy.ops.precision import at_least_float32
from attractor.errors import InputError


class EnergyLayerNorm(nn.Module):
    r"""Layer norm as the gradient of a Lagrangian, one per token::

        L(x) = D gamma sqrt(mean((x - mean x)^2) + eps) + delta . x
        g    = dL/dx = gamma (x - mean x) / sqrt(var x + eps) + delta

    ``J = dg/dx`` is symmetric and, for ``gamma >= 0``, positive semi-definite (L is convex): that is what makes
    ``x += alpha (-dE/dg)`` a descent. Gamma is free, as in the published models; below 0 the same step climbs, and
    only the guaranteed rule refuses it. ``gamma`` is a scalar, ``delta (D,)``. Shapes: ``(..., D) -> (..., D)``.
    Raises :class:`InputError` on a width other than D, and on float64 beside another type. Source: Energy Transformer
    (Hoover et al. 2023), section 2 and appendix on the energy's decrease; its code sums all tokens under L's root,
    which is right for one token only.
    """

    def __init__(self, dim: int, eps: float = 1e-5):
        super().__init__()
        require_sizes(dim=dim)
        require_positive(eps=eps)
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(()))
        self.delta = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """``g = LN(x)``."""
        self._check(x)
        if self.gamma.dtype != torch.float32 or x.dtype == torch.float64:  # beside float32 torch takes half precision
            require_same_dtype(x, self.gamma)
        return F.layer_norm(x, self.delta.shape, self.gamma.expand_as(self.delta), self.delta, self.eps)

    def standardize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(x - mean x) / sigma`` and ``sigma = sqrt(var x + eps) (..., 1)``, in float32 or better."""
        self._check(x)
        x = at_least_float32(x)
        centred = x - x.mean(dim=-1, keepdim=True)
        sigma = (centred.square().mean(dim=-1, keepdim=True) + self.eps).sqrt()
        return centred / sigma, sigma

    def lagrangian(self, x: Tensor) -> Tensor:
        """``L(x)`` of every token, ``(..., D) -> (...)``, in float32 or better."""
        sigma = self.standardize(x)[1].squeeze(-1)
        return x.shape[-1] * self.gamma * sigma + (at_least_float32(x) * self.delta).sum(dim=-1)

    def energy(self, x: Tensor) -> Tensor:
        """The Legendre transform ``g . x - L(x) = -D gamma eps / sqrt(var x + eps)`` of every token.

        Written in its closed form: the difference of the two would lose every digit. ``(..., D) -> (...)``.
        """
        sigma = self.standardize(x)[1].squeeze(-1)
        return -x.shape[-1] * self.gamma * self.eps / sigma

    def jacobian(self, x: Tensor, v: Tensor) -> Tensor:
        """``J v``, like ``v``, with ``J = dg/dx = gamma/sigma (I - 1 1^T/D - s s^T/D)``, ``s`` the standardised x."""
        s, sigma = self.standardize(x)
        tangent = v - v.mean(dim=-1, keepdim=True) - s * (s * v).mean(dim=-1, keepdim=True)
        return (self.gamma / sigma * tangent).to(v.dtype)

    def extra_repr(self) -> str:
        """Sizes and settings, for ``repr``."""
        return f"{len(self.delta)}, eps={self.eps:g}"

    def _check(self, x: Tensor) -> None:
        if x.shape[-1:] != self.delta.shape:
            raise InputError(f"x must be tokens (..., {len(self.delta)}), not of shape {tuple(x.shape)}")
