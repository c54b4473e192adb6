"""Simulated damage: soft shapes of any size, filled with what does not belong where they lie."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.training.damage_shapes import clouds, log_uniform, shapes, uniform

PLACES = 2  # damaged places in an image that is not left whole; some will not show
VISIBLE = 0.015  # mean change of brightness around a pixel from which on it counts as damaged


@torch.no_grad()
def simulate_damage(images: Tensor) -> tuple[Tensor, Tensor]:
    """Damage about half of the images, each in two places, and say where: ``x + alpha (filling - x)`` at each.

    Floats in 0..1, ``(B, C, h, w)`` -> the same and masks bool ``(B, h, w)``. ``alpha`` is one of the
    :func:`~attractor.training.damage_shapes.shapes`; the filling is cut from another place or image, the same place in
    another light or stained, or paint. All random numbers come from torch's global generator. After CutPaste (Li et al.
    2021) and DRAEM (Zavrtanik et al. 2021).
    """
    fillings = torch.stack([pasted(images), retouched(images), painted(images), stained(images), shaded(images)])
    struck = uniform(images, 0, 1) < 0.5
    damaged = images
    for _ in range(PLACES):
        filling = fillings[torch.randint(len(fillings), (len(images),)), torch.arange(len(images))]
        damaged = damaged.lerp(filling, uniform(images, 0.3, 1.0) * struck * shapes(images))
    damaged = damaged.clamp(0, 1)
    change = blurred((damaged - images).abs().mean(dim=1, keepdim=True), 3)
    return damaged, change[:, 0] > VISIBLE


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


def stained(images: Tensor) -> Tensor:
    """The same place darker and cloudy."""
    return images * log_uniform(images, 0.4, 0.95) + uniform(images, 0, 0.05) * clouds(images, 2)


def shaded(images: Tensor) -> Tensor:
    """The same place brighter or darker, and nothing else."""
    return images * log_uniform(images, 0.6, 1.6)


def blurred(images: Tensor, side: int) -> Tensor:
    """Mean over squares of ``side`` pixels, borders reflected."""
    return F.avg_pool2d(F.pad(images, [side // 2] * 4, mode="reflect"), side, stride=1)
