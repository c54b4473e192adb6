"""A walk small enough to draw in a moment."""

from __future__ import annotations

import torch

from attractor.data.masks import random_patches
from attractor.models import ImageET, ImageETConfig
from attractor.tasks.inpainting.walk import Walk


def make_walk(**settings) -> Walk:
    """Two images of 2 x 3 patches (of 8 pixels) through a random model."""
    torch.manual_seed(0)
    sizes = {"image_size": (16, 24), "patch": 8, "dim": 16, "heads": 2, "head_dim": 4, "memories": 12, "steps": 3}
    model = ImageET(ImageETConfig(**{**sizes, **settings})).eval()
    for block in model.descents:
        torch.nn.init.normal_(block.attention.W, std=0.5)
        torch.nn.init.normal_(block.memory.xi, std=0.5)
    images = model.normalize(torch.rand(2, model.config.channels, 16, 24))
    return Walk.of(model, images, random_patches(2, model.grid(images), 0.5))
