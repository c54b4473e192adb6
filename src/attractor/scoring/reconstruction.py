"""The reconstruction energy: what an image and its reconstruction do not share."""

from __future__ import annotations

import torch
from torch import Tensor

from attractor.energy.ops.precision import at_least_float32
from attractor.errors import InputError


def reconstruction_energy(images: Tensor, reconstruction: Tensor) -> Tensor:
    r"""Sum of four differences between images ``x`` and reconstructions ``r``, both ``(B, C, H, W)``.

    All are means per image::

        mean (x - r)^2
        |TV(x) - TV(r)|,   TV(x) = mean |x_{i+1,j} - x_{ij}| + mean |x_{i,j+1} - x_{ij}|
        mean (log1p|FFT2 x| - log1p|FFT2 r|)^2,   the transform not normalised
        mean of the 8x8 block means of (x - r)^2

    Returns ``(B,)``, in float32 or better; it has no unit, since it adds squares of pixels, pixels and squared
    logarithms as they are, so that the scale of the images is part of what it says. It is differentiable; its mean over
    the batch is the training loss. Raises :class:`InputError` for shapes that differ. Source: SELYNE, reconstruction
    score.
    """
    if images.ndim != 4 or images.shape != reconstruction.shape:
        shapes = f"{tuple(images.shape)} and {tuple(reconstruction.shape)}"
        raise InputError(f"images and reconstruction must be one (B, C, H, W), got {shapes}: resize one of them")
    return _terms(images, reconstruction).sum(1)


def _terms(images: Tensor, reconstruction: Tensor) -> Tensor:
    """The four in their order, ``(B, 4)``."""
    x, r = at_least_float32(images), at_least_float32(reconstruction)
    mse = _mean((x - r).square())
    variation = (_total_variation(x) - _total_variation(r)).abs()
    spectrum = _mean((_log_spectrum(x) - _log_spectrum(r)).square())
    # The mean of block means is the mean itself, so the published fourth term is the first once more: exactly
    # where 8 divides the sides, and elsewhere without dropping a border.
    return torch.stack([mse, variation, spectrum, mse], dim=1)


def _mean(x: Tensor) -> Tensor:
    """Mean per image; 0 where there is nothing, as for the differences along a side of one pixel."""
    return x.flatten(1).sum(1) / max(1, x[0].numel())


def _total_variation(x: Tensor) -> Tensor:
    return _mean(x.diff(dim=2).abs()) + _mean(x.diff(dim=3).abs())


def _log_spectrum(x: Tensor) -> Tensor:
    return torch.fft.fft2(x).abs().log1p()
