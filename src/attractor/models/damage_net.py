"""A small convolution net that says where an image is damaged."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from attractor.models.pixels import ImageModel

STRIDE = 4  # pixels a side of the squares that get a logit
WIDTHS = (24, 48, 96, 96)  # channels at every second, fourth, eighth and sixteenth pixel
DARK, CONTRAST = 0.03, 2.0
JUDGED = 5  # places that a view is judged by


class DamageNet(ImageModel):
    r"""Logits of damage for every square of ``STRIDE`` pixels, from the logarithm of the light::

        l = CONTRAST (log(x + DARK) - mean log(x + DARK))     s = head(sum_i across_i(stage_i(... stage_1(l))))

    so that neither exposure nor the tone of an image counts. Four stages of two convolutions halve the resolution each;
    what they see at all four is added up at the second's. Images are floats in 0..1, ``(B, C, h, w)`` of any size,
    logits ``(B, ceil(h / STRIDE), ceil(w / STRIDE))``.
    Source: Lin et al. 2017, Feature pyramid networks, for the sum over resolutions.
    """

    def __init__(self, channels: int):
        super().__init__(channels)
        self.stages, self.across = nn.ModuleList(), nn.ModuleList()
        summed, before = WIDTHS[1], channels
        for i, width in enumerate(WIDTHS):
            first = _convolution(before, width, 5 if i == 0 else 3, stride=2)
            self.stages.append(nn.Sequential(first, _convolution(width, width)))
            self.across.append(nn.Conv2d(width, summed, 2, 2) if i == 0 else nn.Conv2d(width, summed, 1))
            before = width
        self.head = nn.Sequential(_convolution(summed, summed), nn.Conv2d(summed, 1, 1))
        convert_conv2d_weight_memory_format(self, torch.channels_last)  # a fifth to a third faster on CPUs

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, rows, columns)``."""
        h, w = images.shape[-2:]
        whole = 2 ** len(WIDTHS)
        light = F.pad((images + DARK).log(), (0, -w % whole, 0, -h % whole), mode="replicate")
        x = CONTRAST * (light - light.mean(dim=(1, 2, 3), keepdim=True))
        size = (light.shape[-2] // STRIDE, light.shape[-1] // STRIDE)
        total = x.new_zeros(())
        for stage, across in zip(self.stages, self.across, strict=True):
            x = stage(x)
            total = total + F.interpolate(across(x), size=size, mode="bilinear", align_corners=False)
        return self.head(total).squeeze(1)[:, : -(-h // STRIDE), : -(-w // STRIDE)]


def judged(logits: Tensor) -> Tensor:
    """One logit a view, ``(B, rows, columns) -> (B,)``: the mean of the five highest, each smoothed over 3 x 3.

    Beyond the border are zeros, neither damaged nor whole: logits there are drawn to 0.
    """
    smooth = F.avg_pool2d(logits.unsqueeze(1), 3, stride=1, padding=1).flatten(1)
    return smooth.topk(min(JUDGED, smooth.shape[1])).values.mean(dim=1)


def _convolution(inner: int, outer: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inner, outer, side, stride, side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outer), nn.ReLU())
