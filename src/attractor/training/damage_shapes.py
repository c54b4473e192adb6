"""Where simulated damage lies: soft shapes of any size, one an image, as opacities ``(B, 1, h, w)`` in 0..1.

All random numbers come from torch's global generator.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 2.0  # pixels: least half-length of a patch; the greatest is half an image
THINNEST = 0.7  # pixels: least half-width


def shapes(images: Tensor) -> Tensor:
    """A patch for half of the images, threads for a quarter, a band for the rest."""
    each = torch.stack([patches(images), patches(images), threads(images), bands(images)])
    return each[torch.randint(len(each), (len(images),)), torch.arange(len(images))]


def patches(images: Tensor) -> Tensor:
    """Blobs, lines, patches and scars.

    Inside is ``|(u / a, v / b)| - ragged < 1`` in turned, bent coordinates ``u, v``, by the Euclidean norm (blobs,
    lines) or the greatest coordinate (patches, scars).
    """
    h, w = images.shape[-2:]
    u, v = turned(images)
    a = log_uniform(images, SMALLEST, min(h, w) / 2)
    b = (a * log_uniform(images, 0.05, 1)).clamp(min=THINNEST)
    u, v = u / a, (v + uniform(images, -0.5, 0.5) * (a - b) * (u / a).square()) / b
    distance = torch.where(uniform(images, 0, 1) < 0.7, torch.hypot(u, v), torch.maximum(u.abs(), v.abs()))
    ragged = uniform(images, 0, 0.5) * clouds(images, 4)
    return torch.sigmoid((1 - distance + ragged) * b / uniform(images, 0.3, 1.2))


def threads(images: Tensor) -> Tensor:
    """Thin lines that wander: where smooth noise is zero, inside a patch."""
    noise = clouds(images, 4 * 2 ** int(torch.randint(4, ())))
    across = F.pad(noise[:, :, 2:] - noise[:, :, :-2], (0, 0, 1, 1), mode="replicate") / 2
    along = F.pad(noise[..., 2:] - noise[..., :-2], (1, 1, 0, 0), mode="replicate") / 2
    distance = noise.abs() / (torch.hypot(across, along) + 1e-3)  # pixels, near the line
    line = torch.sigmoid((log_uniform(images, 0.3, 1.5) - distance) / uniform(images, 0.2, 0.6))
    return line * patches(images)


def bands(images: Tensor) -> Tensor:
    """A straight band, or all that lies beyond a straight edge, more or less sharp."""
    distance, _ = turned(images)
    softness = log_uniform(images, 0.5, 4)
    width = log_uniform(images, 6, 200)
    return torch.sigmoid(distance / softness) * torch.sigmoid((width - distance) / softness)


def turned(images: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates of every pixel from a random place of its image, turned by a random angle, ``(B, 1, h, w)``."""
    h, w = images.shape[-2:]
    y = torch.arange(h, device=images.device).view(1, 1, h, 1) - uniform(images, 0, h)
    x = torch.arange(w, device=images.device).view(1, 1, 1, w) - uniform(images, 0, w)
    angle = uniform(images, 0, math.pi)
    return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()


def clouds(images: Tensor, scale: int) -> Tensor:
    """Smooth noise of a variance of about 3/4, ``scale`` pixels fine, ``(B, 1, h, w)``."""
    h, w = images.shape[-2:]
    coarse = torch.randn(len(images), 1, h // scale + 1, w // scale + 1, device=images.device)
    return F.interpolate(coarse, size=(h, w), mode="bicubic", align_corners=False)


def uniform(images: Tensor, low: float, high: float) -> Tensor:
    """One number an image, ``(B, 1, 1, 1)``."""
    return low + (high - low) * torch.rand(len(images), 1, 1, 1, device=images.device)


def log_uniform(images: Tensor, low: float, high: float) -> Tensor:
    """One number an image, ``(B, 1, 1, 1)``, all orders of magnitude alike."""
    return uniform(images, math.log(low), math.log(high)).exp()
