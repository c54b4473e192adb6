"""Gloeba attention: tied queries and keys, one bilinear form, scale and temperature per head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.energy.checks import require_sizes
from attractor.energy.ops import Linear, merge_heads, softmax_attention, split_heads
from attractor.energy.ops.precision import at_least_float32
from attractor.errors import InputError

TEMPERATURE_FLOOR = 1e-4
ROUNDING = 1e-5  # of M_h in float32, relative to its norm


@dataclass(frozen=True)
class Territory:
    """Where one head's ``M_h`` lives: how symmetric it is, and the signs of its symmetric part's eigenvalues.

    ``asymmetry`` is ``|M - M^T|_F / (2 |M|_F)``: 0 for a symmetric matrix, 1 for an antisymmetric one.
    ``positive`` and ``negative`` count the eigenvalues that differ from 0 by more than float32 rounding.
    """

    asymmetry: float
    positive: int
    negative: int
    lowest: float
    highest: float

    @property
    def symmetric(self) -> bool:
        """Whether ``M = M^T`` to float32 rounding."""
        return self.asymmetry < ROUNDING

    @property
    def definite(self) -> str:
        """``"positive"`` or ``"negative"`` where no eigenvalue has the other sign, else ``"indefinite"``."""
        if (self.positive > 0) == (self.negative > 0):  # both signs, or an antisymmetric matrix: no sign at all
            return "indefinite"
        return "positive" if self.positive else "negative"

    def __str__(self) -> str:
        symmetry = "symmetric" if self.symmetric else "asymmetric"
        return f"{symmetry}, {self.definite} ({self.positive}+/{self.negative}-)"


class GloebaAttention(nn.Module):
    r"""Multi-head attention whose weights minimise a free energy in closed form.

    For head h with ``q = k = W x``, ``k' = |s_h| M_h k / |M_h k|`` and ``tau_h = max(exp(l_h), 1e-4)``::

        p_C = softmax_B(q_C . k'_B / tau_h) = argmin_p  -p . s_C + tau_h sum_B p_B log p_B,   s_CB = q_C . k'_B
        y   = concat_h(p V) W_proj^T

    the minimum itself being the free energy ``F_C = -tau_h logsumexp_B(s_CB / tau_h)``. Shapes: ``(B, N, D) ->
    (B, N, D)``. With ``normalize_keys=False`` the keys stay ``|s_h| M_h k``: the bilinear form ``q^T M_h k``.

    Each ``M_h`` starts orthogonal. Raises :class:`InputError` on a size that is no whole number above 0 and unless
    ``heads`` divides ``dim``.
    Source: SELYNE (Suleymanoglu 2026), "Gloeba: the core attention mechanism".
    """

    def __init__(self, dim: int, heads: int, *, normalize_keys: bool = True):
        super().__init__()
        require_sizes(dim=dim, heads=heads)
        if dim % heads:
            raise InputError(f"dim {dim} is not a multiple of heads {heads}; choose a multiple")
        self.heads, self.normalize_keys = heads, normalize_keys
        width = dim // heads
        bases = [nn.init.orthogonal_(torch.empty(width, width)) for _ in range(heads)]
        self.M = nn.Parameter(torch.stack(bases))
        self.norm_scale = nn.Parameter(torch.ones(heads))
        self.log_temp = nn.Parameter(torch.zeros(heads))
        self.W_tied = Linear(dim, dim)
        self.W_v = Linear(dim, dim)
        self.proj = Linear(dim, dim)

    def temperature(self) -> Tensor:
        """``tau_h`` of every head, shape ``(H,)``."""
        return self.log_temp.exp().clamp_min(TEMPERATURE_FLOOR)

    def queries_keys(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys such that ``q k^T = s / tau``, both ``(B, H, N, Y)``."""
        q = split_heads(self.W_tied(x), self.heads)
        k = q @ self.M.transpose(-2, -1)  # (B, H, N, Y): M_h k for every token
        if self.normalize_keys:
            k = F.normalize(k, dim=-1, eps=1e-12)
        fold = self.norm_scale.abs() / self.temperature()
        return q, k * fold[:, None, None].to(k.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, N, D) -> (B, N, D)``."""
        q, k = self.queries_keys(x)
        y = softmax_attention(q, k.to(q.dtype), split_heads(self.W_v(x), self.heads))
        return self.proj(merge_heads(y))

    def free_energy(self, x: Tensor) -> Tensor:
        """``F_C = -tau_h logsumexp_B(s_CB / tau_h)`` of every token, in float32 or better.

        Shapes: ``(B, N, D) -> (B, H, N)``.
        """
        q, k = self.queries_keys(x)
        scores = at_least_float32(q @ k.to(q.dtype).transpose(-2, -1))
        return -self.temperature()[:, None].to(scores.dtype) * scores.logsumexp(dim=-1)

    @torch.no_grad()
    def territory(self) -> list[Territory]:
        """Symmetry and definiteness of every head's ``M_h``."""
        return [_territory(m) for m in self.M.double().cpu()]


def _territory(m: Tensor) -> Territory:
    eigenvalues = torch.linalg.eigvalsh((m + m.T) / 2)
    zero = ROUNDING * m.norm()
    return Territory(
        asymmetry=float((m - m.T).norm() / (2 * m.norm()).clamp_min(1e-300)),
        positive=int((eigenvalues > zero).sum()),
        negative=int((eigenvalues < -zero).sum()),
        lowest=float(eigenvalues[0]),
        highest=float(eigenvalues[-1]),
    )
