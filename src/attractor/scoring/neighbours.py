"""Distance to the nearest normal features."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.return_types import topk

from attractor.errors import InputError
from attractor.scoring.checks import check_features

Metric = Literal["cosine", "euclidean"]
NEIGHBOURS = 5
BLOCK = 2**24  # numbers held at once while scoring
ROUNDINGS = 16  # of |x|^2 + |b|^2 in a difference of two squared distances; 14 measured, for up to 8192 numbers
SAME = 1e-5  # distance of directions that float32 does not tell apart


class NearestNeighbours(nn.Module):
    r"""Mean distance ``1/k sum_i d(x, b_i)`` to the ``k = 5`` nearest of the normal features kept in a bank.

    ``d`` is ``1 - cos(x, b)`` or ``|x - b|``. A bank of fewer points uses all of them. Buffers, float32: ``bank``
    ``(n, d)``, the points (of length 1 under ``cosine``) less their mean ``centre`` ``(d,)``; distances do not see the
    shift, and large offsets cost no digits. Loading a state dict takes over its bank's size.

    Raises :class:`InputError` for an unknown metric, an empty bank, and features that are not finite ``(n, d)``.
    Source: Roth et al. (2022), Towards total recall in industrial anomaly detection (PatchCore), section 3.
    """

    bank: Tensor
    centre: Tensor

    def __init__(self, metric: Metric = "cosine") -> None:
        super().__init__()
        if metric not in get_args(Metric):
            raise InputError(f"unknown metric {metric!r}: choose one of {', '.join(get_args(Metric))}")
        self.metric = metric
        self.register_buffer("bank", torch.zeros(0, 0))
        self.register_buffer("centre", torch.zeros(0))

    @torch.no_grad()
    def fit(self, features: Tensor) -> NearestNeighbours:
        """Keep normal features ``(n, d)``."""
        check_features(features)
        if not len(features):
            raise InputError("no features to keep: nearest neighbours need at least 1 normal image")
        points = self._embed(features, torch.zeros(()))
        self.centre = points.mean(0)
        self.bank = points - self.centre
        return self

    def score(self, features: Tensor) -> Tensor:
        """Mean distance ``(n,)``, float32, of features ``(n, d)`` to their nearest; high is anomalous."""
        if not len(self.bank):
            raise InputError("the nearest-neighbour bank is empty: call fit() with normal features first")
        check_features(features, self.bank.shape[1])
        return self(features)

    def forward(self, features: Tensor) -> Tensor:
        """:meth:`score` without its checks."""
        points = self._embed(features, self.centre)
        k = min(NEIGHBOURS, len(self.bank))
        rows = max(1, BLOCK // max(len(self.bank), k * self.bank.shape[1]))
        return torch.cat([self._distance(block, k) for block in points.split(rows)])

    def _embed(self, features: Tensor, centre: Tensor) -> Tensor:
        points = features.to(self.bank.device, torch.float32)
        return (normalize(points, dim=1) if self.metric == "cosine" else points) - centre

    def _distance(self, points: Tensor, k: int) -> Tensor:
        gap = (points[:, None] - self.bank[self._nearest(points, k)]).norm(dim=-1)  # (rows, k)
        if self.metric == "euclidean":
            return gap.mean(1)
        gap = torch.where(gap > SAME, gap, 0.0)  # the square of what is rounding would not look like rounding
        return (gap.square() / 2).mean(1)  # |a - b|^2 / 2 = 1 - cos for |a| = |b| = 1

    def _nearest(self, points: Tensor, k: int) -> Tensor:
        """Which of the bank they are, ``(rows, k)``: in float64 where float32 leaves the k-th and the next in doubt."""
        bank = self.bank
        first, rounding = _nearest(points, bank, min(k + 1, len(bank)))
        found = first.indices[:, :k]
        doubt = ~(first.values[:, -1] - first.values[:, k - 1] > rounding)  # also where squares overflow
        if doubt.any():
            found[doubt] = _nearest(points[doubt].double(), bank.double(), k)[0].indices
        return found

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in ("bank", "centre"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.bank.device))
        super()._load_from_state_dict(state_dict, prefix, *args)


def _nearest(x: Tensor, bank: Tensor, count: int) -> tuple[topk, Tensor]:
    """The least ``|b|^2 - 2 x.b = |x - b|^2 - |x|^2`` of every row and their indices; how far rounding moves them."""
    squares = bank.square().sum(1)
    found = torch.addmm(squares, x, bank.T, alpha=-2).topk(count, largest=False)
    largest = x.square().sum(1) + squares[found.indices].amax(1)
    return found, ROUNDINGS * torch.finfo(x.dtype).eps * largest
