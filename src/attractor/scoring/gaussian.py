"""The latent Gaussian: how far a feature lies from the normal ones, in their own units."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attractor.errors import InputError
from attractor.scoring.checks import check_features
from attractor.scoring.moments import CentralMoments

MAX_CONDITION = 1e6
CONSTANT = 1e-12  # a spread below this share of the mean is rounding, not data


def ledoit_wolf(moments: CentralMoments) -> tuple[Tensor, Tensor]:
    r"""Ledoit-Wolf covariance ``(d, d)`` and its shrinkage ``()`` from streamed moments.

    With ``C`` the empirical covariance (divided by n) and ``mu = tr(C) / d``::

        delta = |C - mu I|_F^2 / d,   beta = (sum |z|^4 / n - |C|_F^2) / (n d)
        shrinkage = min(beta, delta) / delta,   Sigma = (1 - shrinkage) C + shrinkage mu I

    the same numbers as scikit-learn's ``LedoitWolf``, which holds every sample to form ``sum |z|^4`` over
    pairs of columns. Source: Ledoit and Wolf (2004), A well-conditioned estimator for large-dimensional
    covariance matrices.
    """
    n, d = moments.size, len(moments.mean)
    covariance = moments.second / n
    target = covariance.trace() / d * torch.eye(d, dtype=covariance.dtype, device=covariance.device)
    delta = (covariance - target).square().sum() / d
    beta = (moments.fourth / n - covariance.square().sum()).clamp(min=0) / (n * d)
    shrinkage = torch.minimum(beta, delta) / delta if delta > 0 else torch.zeros_like(delta)
    return torch.lerp(covariance, target, shrinkage), shrinkage


class LatentGaussian(nn.Module):
    r"""Squared Mahalanobis distance ``(x - mean)^T Sigma^-1 (x - mean)`` to the normal features.

    ``Sigma`` is the Ledoit-Wolf covariance; when its condition number ``c = max(eig) / max(min(eig), floor)``,
    ``floor = 1e-10 min(1, max(eig))``, exceeds 1e6, ``(max(eig) / 1e6 - min(eig)) I`` is added. Fit with any
    number of ``update(features)`` and one ``finish()``; memory is O(dim^2). All arithmetic is float64: keep the
    module on a device that has it, features come to it.

    Buffers, which are all that scores: ``mean`` ``(dim,)``, ``cholesky`` ``(dim, dim)`` lower factor of
    ``Sigma``, ``shrinkage`` ``()``, ``condition`` ``()`` before lifting, ``count`` ``()`` samples, 0 until
    fitted.

    Raises :class:`InputError` for features that are not finite ``(n, dim)``, for fewer than 2 samples, for constant
    samples and for scoring before ``finish()``. Source: SELYNE, Mahalanobis score (the README of the
    published code).
    """

    mean: Tensor
    cholesky: Tensor
    shrinkage: Tensor
    condition: Tensor
    count: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim, dtype=torch.float64))
        self.register_buffer("cholesky", torch.eye(dim, dtype=torch.float64))
        self.register_buffer("shrinkage", torch.zeros((), dtype=torch.float64))
        self.register_buffer("condition", torch.ones((), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self._moments: CentralMoments | None = None

    @torch.no_grad()
    def update(self, features: Tensor) -> None:
        """Take in a batch of normal features ``(n, dim)``; after ``finish()`` it begins a new fit."""
        check_features(features, len(self.mean))
        if len(features):
            batch = CentralMoments.of(features.to(self.mean.device, torch.float64))
            self._moments = self._moments.merge(batch) if self._moments else batch

    @torch.no_grad()
    def finish(self) -> LatentGaussian:
        """Turn what was taken in into the mean and the Cholesky factor."""
        moments = self._moments
        if moments is None or moments.size < 2:
            seen = moments.size if moments else 0
            raise InputError(f"the latent Gaussian needs 2 normal samples or more, it got {seen}: add normal images")
        covariance, self.shrinkage = ledoit_wolf(moments)
        covariance, self.condition = _condition(covariance, moments)
        self.mean = moments.mean
        self.cholesky = torch.linalg.cholesky(covariance).contiguous()  # safetensors takes no other
        self.count = torch.tensor(moments.size, device=self.mean.device)
        self._moments = None
        return self

    def score(self, features: Tensor) -> Tensor:
        """Squared Mahalanobis distance ``(n,)``, float64, of features ``(n, dim)``; high is anomalous."""
        if not self.count:
            raise InputError("the latent Gaussian is not fitted: call update() with normal features, then finish()")
        check_features(features, len(self.mean))
        return self(features)

    def forward(self, features: Tensor) -> Tensor:
        """:meth:`score` without its checks, which an export could not trace."""
        z = features.to(self.mean.device, torch.float64) - self.mean.double()
        white = torch.linalg.solve_triangular(self.cholesky.double(), z.T, upper=False)  # (dim, n)
        return white.square().sum(0)


def _condition(covariance: Tensor, moments: CentralMoments) -> tuple[Tensor, Tensor]:
    """The covariance with a condition number of 1e6 + 1 at most, and the condition number it had."""
    eigenvalues = torch.linalg.eigvalsh(covariance)
    low, high = eigenvalues[0], eigenvalues[-1]
    if high.clamp(min=0).sqrt() <= CONSTANT * moments.mean.abs().max():
        raise InputError(
            f"all {moments.size} feature rows are the same, so there is no spread: fit on normal ones that differ"
        )
    # The published floor is absolute and hides a singular covariance of small features; ours shrinks with
    # them, and lifts in the same cases wherever the largest eigenvalue is above 1e-4.
    condition = high / low.clamp(min=1e-10 * min(1.0, float(high)))
    if condition > MAX_CONDITION:
        covariance = covariance + (high / MAX_CONDITION - low) * torch.eye(len(covariance)).to(covariance)
    return covariance, condition
