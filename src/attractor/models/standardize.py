"""Features in standard deviations from their mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attractor.errors import InputError

LARGEST = 1e6  # deviations; with many more the squares that a LayerNorm sums are beyond float32
TINIEST = torch.finfo(torch.float32).tiny  # below it a deviation has few digits as float32, or none


class Standardize(nn.Module):
    """``z_f = (x_f - mean_f) / std_f`` of rows ``x (N, F)``, with mean and deviation of the rows it was fitted on.

    Both are buffers, saved with the weights. A feature that never varied is left at 0 where it still has that value.
    ``z`` ends at a million either way, so that an absurd but finite value makes no score NaN. Raises
    :class:`InputError` on rows of another width.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def fit(self, x: Tensor) -> Standardize:
        """Take mean and deviation of the rows ``(N, F)``, in float64: a count of millions squared is beyond float32."""
        for feature, column in enumerate(x.T):
            std, mean = torch.std_mean(column.double(), correction=0)
            varies = std > (1e-12 * column.abs().max()).clamp(min=TINIEST)
            self.mean[feature], self.scale[feature] = mean, torch.where(varies, std, 1)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """``z (N, F)``."""
        if x.ndim != 2 or x.shape[1] != len(self.mean):
            raise InputError(f"x must be (nodes, {len(self.mean)}) features, not of shape {tuple(x.shape)}")
        return ((x - self.mean) / self.scale).clamp_(-LARGEST, LARGEST)
