"""Pixels as networks take them: ImageNet-normalised, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ImageModel(nn.Module):
    """A network on normalised images; grey ones are normalised by the mean of the three colours' figures."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int):
        super().__init__()
        grey = channels == 1
        mean = [sum(IMAGENET_MEAN) / 3] if grey else IMAGENET_MEAN
        std = [sum(IMAGENET_STD) / 3] if grey else IMAGENET_STD
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def normalize(self, images: Tensor) -> Tensor:
        """uint8 in 0..255 or float in 0..1 to ImageNet-normalised float32, ``(B, C, H, W)``."""
        scaled = images.float() / 255 if images.dtype == torch.uint8 else images
        return (scaled - self.mean) / self.std

    def denormalize(self, images: Tensor) -> Tensor:
        """Normalised images back to floats in 0..1, clipped."""
        return (images * self.std + self.mean).clamp(0, 1)
