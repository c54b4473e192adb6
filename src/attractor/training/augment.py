"""Augmentation of whole batches, on whatever device they are."""

from __future__ import annotations

import kornia.augmentation as K
import torch
from kornia.augmentation.auto import RandAugment
from torch import Tensor, nn


class PretrainAugmentation(nn.Module):
    """Random crop after reflection padding, flip, colours, blur, RandAugment and erasing of float images in 0..1.

    ``padding`` in pixels; ``jitter`` is how far brightness, contrast and saturation of an image move, as a share;
    ``grey`` and ``blur`` (a Gaussian of 0.3 to 2 pixels) are probabilities, as is ``erasing``; ``magnitude`` of
    RandAugment in 0..29. Zero turns each off. Grey images go through the colour operations as three equal channels.
    Source of jitter, grey and blur: Chen et al. 2020 (SimCLR).
    """

    def __init__(
        self,
        size: tuple[int, int],
        padding: int,
        operations: int,
        magnitude: int,
        erasing: float,
        jitter: float = 0.0,
        grey: float = 0.0,
        blur: float = 0.0,
    ):
        super().__init__()
        steps: list[nn.Module] = [
            K.RandomCrop(size, padding=padding, padding_mode="reflect"),
            K.RandomHorizontalFlip(),
        ]
        if jitter:
            steps.append(K.ColorJiggle(jitter, jitter, jitter))
        if grey:
            steps.append(K.RandomGrayscale(p=grey))
        if blur:
            steps.append(K.RandomGaussianBlur((7, 7), (0.3, 2.0), p=blur))
        if magnitude:
            steps.append(RandAugment(n=operations, m=magnitude))
        if erasing:
            steps.append(K.RandomErasing(p=erasing))
        self.steps = nn.Sequential(*steps)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """``(B, C, H, W)`` in 0..1, float32 -> the same."""
        grey = images.shape[1] == 1
        views = self.steps(images.expand(-1, 3, -1, -1) if grey else images).clamp(0, 1)
        return views.mean(dim=1, keepdim=True) if grey else views


class LightViews(nn.Module):
    """A random flip and a shift of up to ``shift`` pixels with reflected borders, drawn for every image alone."""

    def __init__(self, size: tuple[int, int], shift: int = 2):
        super().__init__()
        self.steps = nn.Sequential(K.RandomHorizontalFlip(), K.RandomCrop(size, padding=shift, padding_mode="reflect"))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """``(B, C, H, W)`` in 0..1, float32 -> the same."""
        return self.steps(images)


def mixup(images: Tensor, labels: Tensor, classes: int, probability: float, alpha: float) -> tuple[Tensor, Tensor]:
    """With ``probability`` blend the batch with a permutation of itself, ``lambda ~ Beta(alpha, alpha)``.

    Returns images ``(B, C, H, W)`` and soft labels ``(B, classes)``. Source: Zhang et al. 2018.
    """
    soft = nn.functional.one_hot(labels, classes).to(images.dtype)
    if torch.rand(()) >= probability:
        return images, soft
    weight = float(torch.distributions.Beta(alpha, alpha).sample())
    order = torch.randperm(len(images), device=images.device)
    return images.lerp(images[order], 1 - weight), soft.lerp(soft[order], 1 - weight)
