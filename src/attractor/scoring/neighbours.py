"""Distance to the nearest normal features."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from attractor.errors import InputError
from attractor.scoring.features import check_features

Metric = Literal["cosine", "euclidean"]
BLOCK = 2**24  # numbers held at once while scoring
SAME = 1e-5  # distance of directions that float32 does not tell apart


class NearestNeighbours(nn.Module):
    r"""Mean distance ``1/k sum_i d(x, b_i)`` to the ``k`` nearest of the normal features kept in a bank.

    ``d`` is ``1 - cos(x, b)`` or ``|x - b|``. A bank of fewer than ``k`` points uses all of them. Buffers,
    float32: ``bank`` ``(n, d)``, the points (of length 1 under ``cosine``) less their mean ``centre``
    ``(d,)``; distances do not see the shift, and large offsets cost no digits. Loading a state dict takes
    over its bank's size.

    Raises `InputError` for an unknown metric, ``k < 1``, an empty bank, and features that are not finite
    ``(n, d)``. Source: Roth et al. (2022), Towards total recall in industrial anomaly detection (PatchCore),
    section 3.
    """

    bank: Tensor
    centre: Tensor

    def __init__(self, k: int = 5, metric: Metric = "cosine") -> None:
        super().__init__()
        if metric not in get_args(Metric):
            raise InputError(f"unknown metric {metric!r}: choose one of {', '.join(get_args(Metric))}")
        if k < 1:
            raise InputError(f"k is {k}: at least 1 neighbour is needed")
        self.k, self.metric = k, metric
        self.register_buffer("bank", torch.zeros(0, 0))
        self.register_buffer("centre", torch.zeros(0))

    @torch.no_grad()
    def fit(self, features: Tensor, limit: int | None = None, seed: int = 0) -> NearestNeighbours:
        """Keep normal features ``(n, d)``; more than ``limit`` are thinned to a greedy k-center coreset.

        The coreset takes, ``limit`` times, the point farthest from those it has: O(limit n d) time, O(n d)
        memory.
        """
        check_features(features)
        if not len(features):
            raise InputError("no features to keep: nearest neighbours need at least 1 normal image")
        points = self._embed(features, torch.zeros(()))
        if limit is not None and len(points) > limit:
            points = points[k_center(points, limit, seed)]
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
        """`score` without its checks."""
        points = self._embed(features, self.centre)
        k = min(self.k, len(self.bank))
        rows = max(1, BLOCK // max(len(self.bank), k * self.bank.shape[1]))
        return torch.cat([self._distance(block, k) for block in points.split(rows)])

    def _embed(self, features: Tensor, centre: Tensor) -> Tensor:
        points = features.to(self.bank.device, torch.float32)
        return (normalize(points, dim=1) if self.metric == "cosine" else points) - centre

    def _distance(self, points: Tensor, k: int) -> Tensor:
        nearest = torch.cdist(points, self.bank).topk(k, largest=False).indices
        # cdist finds the neighbours through a matrix product, which loses small distances: take those anew.
        gap = (points[:, None] - self.bank[nearest]).norm(dim=-1)  # (rows, k)
        if self.metric == "euclidean":
            return gap.mean(1)
        gap = torch.where(gap > SAME, gap, 0.0)  # the square of what is rounding would not look like rounding
        return (gap.square() / 2).mean(1)  # |a - b|^2 / 2 = 1 - cos for |a| = |b| = 1

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in ("bank", "centre"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.bank.device))
        super()._load_from_state_dict(state_dict, prefix, *args)


def k_center(points: Tensor, count: int, seed: int = 0) -> Tensor:
    """Indices ``(count,)`` of points ``(n, d)``, each the farthest from those before it (Gonzalez, 1985)."""
    chosen = [int(torch.randint(len(points), (1,), generator=torch.Generator().manual_seed(seed)))]
    gap = points.new_full((len(points), 1), torch.inf)
    while len(chosen) < count:
        last = points[chosen[-1:]]
        gap = gap.minimum(torch.cdist(points, last, compute_mode="donot_use_mm_for_euclid_dist"))
        chosen.append(int(gap.argmax()))
    return torch.tensor(chosen)
