"""Central moments of a stream of vectors, in memory that does not grow with its length."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class CentralMoments(NamedTuple):
    r"""Sums over ``size`` samples about a point ``mean``, with ``z = x - mean``.

    Each set of samples is summed about its own mean, where ``sum z = 0``, and two sets are moved to their
    common mean before they are added. With ``delta`` the way from the new point to the old, ``z' = z +
    delta``, and so::

        sum z' z'^T   = second + n delta delta^T
        sum |z'|^2 z' = third  + tr(second) delta + 2 second delta + n |delta|^2 delta
        sum |z'|^4    = fourth + 4 delta.third + 4 delta.second.delta + 2 |delta|^2 tr(second) + n |delta|^4

    No two large numbers are ever subtracted, so neither a large offset nor the order of the samples costs
    digits. Source: the pairwise update of Chan, Golub and LeVeque (1979), carried to the moments Ledoit-Wolf
    needs.
    """

    size: int
    mean: Tensor  # (d,)
    second: Tensor  # (d, d)  sum z z^T
    third: Tensor  # (d,)    sum |z|^2 z
    fourth: Tensor  # ()      sum |z|^4

    @classmethod
    def of(cls, x: Tensor) -> CentralMoments:
        """Moments of the samples ``x`` ``(n, d)``, ``n >= 1``, about their own mean."""
        mean = x.mean(0)
        z = x - mean
        square = z.square().sum(1)
        return cls(len(x), mean, z.T @ z, square @ z, square.square().sum())

    def about(self, point: Tensor) -> CentralMoments:
        """The same samples summed about ``point`` ``(d,)`` instead of their own mean."""
        n, _, second, third, fourth = self
        delta = self.mean - point
        turned, length, trace = second @ delta, delta @ delta, second.trace()
        return CentralMoments(
            n,
            point,
            second + n * torch.outer(delta, delta),
            third + trace * delta + 2 * turned + n * length * delta,
            fourth + 4 * delta @ third + 4 * delta @ turned + 2 * length * trace + n * length**2,
        )

    def merge(self, other: CentralMoments) -> CentralMoments:
        """Moments of both sets of samples together, about their common mean."""
        size = self.size + other.size
        mean = self.mean + (other.mean - self.mean) * (other.size / size)
        a, b = self.about(mean), other.about(mean)
        return CentralMoments(size, mean, a.second + b.second, a.third + b.third, a.fourth + b.fourth)
