"""To a fixed point, with gradients that do not remember the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.dynamics.guaranteed import Guaranteed
from attractor.dynamics.landscape import Landscape, State
from attractor.dynamics.trace import Recorder
from attractor.energy import EnergyLayerNorm
from attractor.errors import InputError


@dataclass(frozen=True)
class Equilibrium:
    r"""Guaranteed descent to where ``R(x, theta) = J f = -dE/dx`` vanishes, and implicit gradients there::

        max |g_{t+1} - g_t| < tolerance        H = dR/dx  (symmetric)
        H w = dL/dx                            dL/dtheta = -w^T dR/dtheta

    The norm does not see the mean or the scale of a token. Force and residual equation are therefore projected off
    these two directions (else x would grow for ever while g hardly moves). Steps may grow beyond ``step_size``, and
    gradients are right for every loss that reads x through a layer norm. Nothing of the descent is kept: memory does
    not depend on the number of steps. The start x_0 gets no gradient: a minimum that stands alone does not move with
    it. A sample that ran out of steps is told by ``Trace.converged`` and its gradient is approximate. Raises
    :class:`InputError` for another norm than :class:`EnergyLayerNorm`, and on a second derivative, which this rule has
    not.
    Source: Bai et al. 2019 (deep equilibrium models).
    """

    tolerance: float = 1e-6
    iterations: int = 100

    def run(self, landscape: Landscape, x: Tensor, steps: int, step_size: float, recorder: Recorder | None) -> Tensor:
        """Descend without a graph, then tie the end to the parameters."""
        if not isinstance(landscape.norm, EnergyLayerNorm):
            raise InputError("the equilibrium rule needs an EnergyLayerNorm; use the guaranteed rule with other norms")
        across = Across(landscape.energy, landscape.norm, landscape.context)
        with torch.no_grad():
            x = Guaranteed(self.tolerance, growing=True).run(across, x, steps, step_size, recorder)
        return self._tie(across, x) if torch.is_grad_enabled() else x

    def _tie(self, landscape: Across, x: Tensor) -> Tensor:
        """x, with the implicit gradient behind it."""
        end = landscape.present(x.detach()).clone().requires_grad_()
        residual = landscape.norm.jacobian(end, landscape.force(end))

        def product(v: Tensor) -> Tensor:
            return landscape.across(end, torch.autograd.grad(residual, end, v, retain_graph=True)[0])

        def implicit(v: Tensor) -> Tensor:
            if torch.is_grad_enabled():
                raise InputError("the equilibrium rule has no second derivative; use the guaranteed rule for one")
            return -conjugate_residuals(product, landscape.across(end, v), self.tolerance, self.iterations)

        tied = x.detach() + (residual - residual.detach())
        tied.register_hook(implicit)
        return tied


@dataclass(frozen=True)
class Across(Landscape):
    """A landscape whose states have the force across what the norm does not read: mean and scale of every token."""

    norm: EnergyLayerNorm

    def at(self, x: Tensor) -> State:
        """The force without its part that leaves g where it is."""
        here = super().at(x)
        return here._replace(force=self.across(x, here.force))

    @torch.no_grad()
    def across(self, x: Tensor, v: Tensor) -> Tensor:
        """``v (B, N, D)`` without mean, part along x, and places without a token."""
        v = self.present(v - v.mean(dim=-1, keepdim=True))
        along = F.normalize(self.present(self.norm.standardize(x)[0].to(v.dtype)), dim=-1)
        return v - along * (along * v).sum(dim=-1, keepdim=True)


def conjugate_residuals(product: Callable[[Tensor], Tensor], b: Tensor, tolerance: float, iterations: int) -> Tensor:
    """Solve the symmetric ``A w = b`` of every sample ``(B, N, D)`` to a residual of ``tolerance |b|`` or the dtype's.

    The residual never grows, also where A is singular or indefinite.
    Source: Saad, Iterative Methods for Sparse Linear Systems, section 6.8.
    """
    smallest = max(tolerance, 10 * torch.finfo(b.dtype).eps) ** 2 * _dot(b, b)
    w, r = torch.zeros_like(b), b
    p, ar = r, product(r)
    ap, rar = ar, _dot(r, ar)
    for _ in range(iterations):
        going = _dot(r, r) > smallest
        if not going.any():
            break
        alpha = torch.where(going, _ratio(rar, _dot(ap, ap)), 0)
        w, r = w + alpha * p, r - alpha * ap
        ar = product(r)
        last, rar = rar, _dot(r, ar)
        beta = _ratio(rar, last)
        p, ap = r + beta * p, ar + beta * ap
    return w


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=(1, 2), keepdim=True)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b == 0, 0, a / b)
