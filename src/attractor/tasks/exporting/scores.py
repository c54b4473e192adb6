"""Scores by operations that any runtime has: the same numbers as those they are made from, to rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attractor.scoring.conformal import TIE, ConformalCalibrator
from attractor.scoring.gaussian import LatentGaussian
from attractor.scoring.neighbours import NEIGHBOURS, NearestNeighbours
from attractor.scoring.places import SAME, PlaceNeighbours, nearest_place


class Whitening(nn.Module):
    """:class:`LatentGaussian` with the inverse of its Cholesky factor: ``|L^-1 (x - mean)|^2``, in float64."""

    mean: Tensor
    inverse: Tensor

    def __init__(self, gaussian: LatentGaussian):
        super().__init__()
        factor = gaussian.cholesky.double()
        one = torch.eye(len(factor), dtype=factor.dtype)
        self.register_buffer("mean", gaussian.mean.double())
        self.register_buffer("inverse", torch.linalg.solve_triangular(factor, one, upper=False).T.contiguous())

    def score(self, features: Tensor) -> Tensor:
        """``(n, dim) -> (n,)``."""
        return ((features.double() - self.mean) @ self.inverse).square().sum(dim=1)


class AllNeighbours(NearestNeighbours):
    """:class:`NearestNeighbours` of all features at once; which they are is told in float32 alone."""

    def score(self, features: Tensor) -> Tensor:
        """``(n, d) -> (n,)``."""
        return self._distance(self._embed(features, self.centre), min(NEIGHBOURS, len(self.bank)))

    def _nearest(self, points: Tensor, k: int) -> Tensor:
        return (self.bank.square().sum(dim=1) - 2 * points @ self.bank.T).topk(k, largest=False).indices


class AllPlaces(PlaceNeighbours):
    """:class:`PlaceNeighbours` of all places at once."""

    def forward(self, patches: Tensor) -> Tensor:
        """``(V, N, D) -> (V, N)``."""
        return (1 - nearest_place(self._embed(patches) @ self.bank.float().transpose(1, 2)).T).clamp(min=SAME)


class Calibration(nn.Module):
    """:class:`ConformalCalibrator` on tensors: p-values and decisions of scores ``(n,)`` in float64."""

    scores: Tensor

    def __init__(self, calibrator: ConformalCalibrator):
        super().__init__()
        self.register_buffer("scores", torch.from_numpy(calibrator.scores))  # ascending
        self.threshold = calibrator.threshold
        self.middle = float(self.scores.abs().quantile(0.5))  # the median

    def forward(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """``(n,) -> (n,), bool (n,)``."""
        lowered = scores - TIE * scores.abs().clamp(min=self.middle)
        at_least = (self.scores >= lowered[:, None]).sum(dim=1)
        return (1 + at_least).double() / (len(self.scores) + 1), lowered > self.threshold


def make_portable(module: nn.Module) -> None:
    """Put these in the place of what is in a module, in place."""
    for name, child in module.named_children():
        if isinstance(child, LatentGaussian):
            setattr(module, name, Whitening(child))
        elif isinstance(child, NearestNeighbours):
            child.__class__ = AllNeighbours
        elif isinstance(child, PlaceNeighbours):
            child.__class__ = AllPlaces
        else:
            make_portable(child)
