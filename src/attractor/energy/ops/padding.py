"""Tokens that are padding, and tokens that see nobody, for kernels that know neither."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Parts = tuple[Tensor, Tensor, Tensor]


def around_padding(
    aligned: Callable[[Tensor, Tensor | None], Parts], q: Tensor, tokens: Tensor | None, include_self: bool
) -> Parts:
    """``lse``, ``mix`` and ``pull`` by ``aligned(v, absent)``, 0 where a token is not there or sees nobody.

    ``q (B, H, N, Y)``, ``tokens (B, N)`` as in :class:`Context`. Of ``v``, like ``q``, is what ``pull`` sums, and
    ``absent (B, N)`` are the keys that nobody sees.
    """
    batch, _, n, _ = q.shape
    if tokens is None and n == 1:
        tokens = torch.ones(batch, 1, dtype=torch.bool, device=q.device)  # without itself it sees nobody
    if tokens is None:
        return aligned(q, None)
    tokens = tokens.expand(batch, n)
    others = tokens.sum(dim=-1, keepdim=True) > (0 if include_self else 1)
    live = (tokens & others).unsqueeze(1)  # (B, 1, N): rows that see somebody
    lse, mix, pull = aligned(q * live.unsqueeze(-1), ~tokens)
    return lse * live, mix * live.unsqueeze(-1), pull
