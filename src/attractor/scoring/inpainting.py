"""How well hidden pixels were filled in."""

from __future__ import annotations

from torch import Tensor


def hidden_mse(images: Tensor, filled: Tensor, pixels: Tensor) -> Tensor:
    """Mean squared error over the hidden pixels of every image, both in 0..1.

    ``images, filled (B, C, H, W)``, ``pixels`` bool ``(B, H, W)`` with at least one True an image -> ``(B,)``.
    """
    error = (filled - images).square().mean(dim=1) * pixels
    return error.sum(dim=(1, 2)) / pixels.sum(dim=(1, 2))


def psnr(mse: Tensor) -> Tensor:
    """Peak signal to noise ratio ``-10 log10(mse)`` in dB of images in 0..1, 120 at most."""
    return -10 * mse.clamp_min(1e-12).log10()
