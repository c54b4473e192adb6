"""Hopfield memory: every token is drawn towards stored patterns."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.energy.base import Energy
from attractor.energy.checks import is_number, require_positive, require_sizes
from attractor.energy.context import Context, real_tokens
from attractor.energy.ops import linear, memory_force
from attractor.energy.ops.in_blocks import in_blocks
from attractor.energy.ops.precision import at_least_float32
from attractor.errors import InputError

INIT_STD = 0.02
ACTIVATIONS = ("relu", "gelu", "power", "softmax")


class HopfieldMemory(Energy):
    r"""Energy of tokens in the field of M memories ``xi_mu``, with overlaps ``h_mu = xi_mu . g_B + b_mu``::

        E = -sum_B G(h_B)      -dE/dg_B = sum_mu xi_mu G'_mu(h_B)

        relu      G = sum_mu relu(h_mu)^2 / 2
        gelu      G = sum_mu gelu(h_mu)^2 / 2            (tanh form, as published)
        power     G = sum_mu relu(h_mu)^n / n            (n = ``exponent`` >= 2)
        softmax   G = logsumexp_mu(beta h_mu) / beta     (beta = 1/sqrt(D) unless given)

    ``xi`` is ``(M, D)``, ``bias`` ``(M,)`` when asked for. Shapes: ``g (B, N, D)``, energies ``(B,)``. Raises
    :class:`InputError` on an unknown activation, an exponent below 2, a size or beta that is not positive, and on ``g``
    or a token mask of the wrong shape or ``g`` of another type than the weights.
    Source: Energy Transformer (Hoover et al. 2023), section 2; softmax from Ramsauer et al. 2021.
    """

    def __init__(
        self,
        dim: int,
        memories: int,
        *,
        activation: str = "relu",
        exponent: float = 3.0,
        beta: float | None = None,
        bias: bool = False,
    ):
        super().__init__()
        require_sizes(dim=dim, memories=memories)
        require_positive(beta=1 if beta is None else beta)
        if activation not in ACTIVATIONS:
            raise InputError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
        if not is_number(exponent) or not 2 <= exponent < math.inf:
            raise InputError(f"exponent must be 2 or more, not {exponent!r}: below it the force has no derivative at 0")
        self.activation, self.exponent = activation, exponent
        self.beta = 1 / math.sqrt(dim) if beta is None else beta  # a Python float: exact in every precision
        self.xi = nn.Parameter(torch.randn(memories, dim) * INIT_STD)
        self.bias = nn.Parameter(torch.zeros(memories)) if bias else None

    def overlaps(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``h_mu = xi_mu . g + b_mu`` of every token, ``(B, N, D) -> (B, N, M)``."""
        return linear(real_tokens(g, self.xi, context), self.xi, self.bias)

    def pulls(self, g: Tensor) -> Tensor:
        """``G'_mu(h)``: how strongly each memory draws every token, ``(B, N, D) -> (B, N, M)``."""
        return self._slope(self.overlaps(g))

    def per_token(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``-G(h_B)`` of every token, ``(B, N, D) -> (B, N)``."""
        g = real_tokens(g, self.xi, context)
        return _cleared(in_blocks(lambda g: self._energy(self.overlaps(g)), g, dim=1), context)

    def force(self, g: Tensor, context: Context | None = None) -> Tensor:
        """``sum_mu xi_mu G'_mu(h)``, like ``g``."""
        g = real_tokens(g, self.xi, context)
        force = memory_force(g.flatten(0, 1), self.xi, self.bias, self._slope, rectified=self.activation == "relu")
        return _cleared(force.view_as(g), context)

    def evaluate(self, g: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Energy and force from one set of overlaps."""
        h = self.overlaps(g, context)
        return _cleared(self._energy(h), context).sum(dim=1), _cleared(self._force(g, h), context)

    def extra_repr(self) -> str:
        """Sizes and settings, for ``repr``."""
        memories, dim = self.xi.shape
        own = {"power": f", exponent={self.exponent:g}", "softmax": f", beta={self.beta:g}"}.get(self.activation, "")
        return f"{dim}, {memories}, activation={self.activation!r}{own}, bias={self.bias is not None}"

    def _energy(self, h: Tensor) -> Tensor:
        """``-G(h)`` of every token, ``(B, N, M) -> (B, N)``."""
        return -self._potential(at_least_float32(h))

    def _force(self, g: Tensor, h: Tensor) -> Tensor:
        return linear(self._slope(h), self.xi.T).to(g.dtype)

    def _potential(self, h: Tensor) -> Tensor:
        """``G(h)`` of every token, ``(B, N, M) -> (B, N)``."""
        if self.activation == "softmax":
            return (self.beta * h).logsumexp(dim=-1) / self.beta
        if self.activation == "power":
            return h.relu().pow(self.exponent).sum(dim=-1) / self.exponent
        gate = h.relu() if self.activation == "relu" else F.gelu(h, approximate="tanh")
        return gate.square().sum(dim=-1) / 2

    def _slope(self, h: Tensor) -> Tensor:
        """``G'(h)``, ``(B, N, M) -> (B, N, M)``."""
        if self.activation == "softmax":
            return (self.beta * h).softmax(dim=-1)
        if self.activation == "power":
            return h.relu().pow(self.exponent - 1)
        return h.relu() if self.activation == "relu" else F.gelu(h, approximate="tanh") * gelu_slope(h)


def _cleared(v: Tensor, context: Context | None) -> Tensor:
    return v if context is None else context.clear(v)


def gelu_slope(h: Tensor) -> Tensor:
    """Derivative of the tanh form ``h/2 (1 + tanh(c (h + 0.044715 h^3)))``, ``c = sqrt(2/pi)``."""
    c, x = math.sqrt(2 / math.pi), at_least_float32(h)  # the cube of 41 is beyond float16
    t = torch.tanh(c * (x + 0.044715 * x**3))
    slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x**2)
    return slope.to(h.dtype)
