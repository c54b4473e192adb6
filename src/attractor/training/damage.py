"""Simulated damage: soft shapes of any size, filled with what does not belong where they lie."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

PLACES = 3  # damaged places in an image that is not left whole; some will not show
SMALLEST = 2.0  # pixels: least half-length of a shape; the greatest is half an image
THINNEST = 0.7  # pixels: least half-width
VISIBLE = 0.015  # mean change of brightness around a pixel from which on it counts as damaged


@torch.no_grad()
def simulate_damage(images: Tensor) -> tuple[Tensor, Tensor]:
    """Damage about half of the images, each in a few places, and say where: ``x + alpha (filling - x)`` at each.

    Floats in 0..1, ``(B, C, h, w)`` -> the same and masks bool ``(B, h, w)``. ``alpha`` is a blob, patch, scar or
    bent line; the filling is cut from another place or image, the same place in another light, or paint. All random
    numbers come from torch's global generator. After CutPaste (Li et al. 2021) and DRAEM (Zavrtanik et al. 2021).
    """
    fillings = torch.stack([pasted(images), retouched(images), painted(images)])
    struck = uniform(images, 0, 1) < 0.5
    damaged = images
    for _ in range(PLACES):
        filling = fillings[torch.randint(len(fillings), (len(images),)), torch.arange(len(images))]
        damaged = damaged.lerp(filling, uniform(images, 0.3, 1.0) * struck * shapes(images))
    damaged = damaged.clamp(0, 1)
    change = blurred((damaged - images).abs().mean(dim=1, keepdim=True), 3)
    return damaged, change[:, 0] > VISIBLE


def shapes(images: Tensor) -> Tensor:
    """Opacity ``(B, 1, h, w)`` in 0..1 of one random shape an image.

    Inside is ``|(u / a, v / b)| + ragged < 1`` in turned, bent coordinates ``u, v``, by the Euclidean norm (blobs,
    lines) or the greatest coordinate (patches, scars).
    """
    h, w = images.shape[-2:]
    y = torch.arange(h, device=images.device).view(1, 1, h, 1) - uniform(images, 0, h)
    x = torch.arange(w, device=images.device).view(1, 1, 1, w) - uniform(images, 0, w)
    angle = uniform(images, 0, math.pi)
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    a = log_uniform(images, SMALLEST, min(h, w) / 2)
    b = (a * log_uniform(images, 0.05, 1)).clamp(min=THINNEST)
    u, v = u / a, (v + uniform(images, -0.5, 0.5) * (a - b) * (u / a).square()) / b
    distance = torch.where(uniform(images, 0, 1) < 0.7, torch.hypot(u, v), torch.maximum(u.abs(), v.abs()))
    ragged = uniform(images, 0, 0.5) * clouds(images, 4)
    return torch.sigmoid((1 - distance + ragged) * b / uniform(images, 0.3, 1.2))


def pasted(images: Tensor) -> Tensor:
    """Another image of the batch, or the same one, moved and mirrored, a little brighter or darker."""
    batch, _, h, w = images.shape
    each = torch.arange(batch)
    source = torch.where(torch.rand(batch) < 0.5, each, torch.randperm(batch))
    rows, columns = moved(batch, h), moved(batch, w)
    there = images[source[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (B, h, w, C)
    return there.permute(0, 3, 1, 2) * log_uniform(images, 0.6, 1.6)


def moved(batch: int, length: int) -> Tensor:
    """Indices ``(B, length)`` along an axis, shifted around its end and for half of the images reversed."""
    places = (torch.arange(length) + torch.randint(length, (batch, 1))) % length
    return torch.where(torch.rand(batch, 1) < 0.5, places, length - 1 - places)


def retouched(images: Tensor) -> Tensor:
    """The same place blurred or sharpened, brighter or darker."""
    smooth = blurred(images, 7)
    detail = uniform(images, 0, 2.5) * (images - smooth)
    return (smooth + detail) * log_uniform(images, 0.4, 2.2)


def painted(images: Tensor) -> Tensor:
    """One tone of the image's own hue, far brighter or darker, and clouds in it."""
    tone = images.mean(dim=(2, 3), keepdim=True) * log_uniform(images, 0.1, 5.0)
    return tone + uniform(images, 0, 0.2) * clouds(images, 2)


def clouds(images: Tensor, scale: int) -> Tensor:
    """Smooth noise of unit variance, ``scale`` pixels fine, ``(B, 1, h, w)``."""
    h, w = images.shape[-2:]
    coarse = torch.randn(len(images), 1, h // scale + 1, w // scale + 1, device=images.device)
    return F.interpolate(coarse, size=(h, w), mode="bicubic", align_corners=False)


def blurred(images: Tensor, side: int) -> Tensor:
    """Mean over squares of ``side`` pixels, borders reflected."""
    return F.avg_pool2d(F.pad(images, [side // 2] * 4, mode="reflect"), side, stride=1)


def uniform(images: Tensor, low: float, high: float) -> Tensor:
    """One number an image, ``(B, 1, 1, 1)``."""
    return low + (high - low) * torch.rand(len(images), 1, 1, 1, device=images.device)


def log_uniform(images: Tensor, low: float, high: float) -> Tensor:
    """One number an image, ``(B, 1, 1, 1)``, all orders of magnitude alike."""
    return uniform(images, math.log(low), math.log(high)).exp()
