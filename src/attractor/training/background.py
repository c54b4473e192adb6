"""What a pretrained encoder makes of images of anything, written beside its weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from attractor.console import progress
from attractor.models.device import autocast, default_device
from attractor.models.features import extract
from attractor.models.store import load_model, save_tensors
from attractor.scoring.background import BACKGROUND, SIGHTS, Background, sights

IMAGES = 10_000  # of the training images, at random
BATCH = 256


@torch.inference_mode()
def write_background(folder: Path, images: Tensor) -> Path:
    """Fit :class:`~attractor.scoring.background.Background` of the encoder in ``folder`` and write it there.

    ``images`` uint8 ``(N, C, h, w)`` of the encoder's size: those it was trained on, or others of anything.
    """
    model = load_model(folder).to(default_device())
    background = Background(model.config)
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:IMAGES].sort().values
    for indices in progress(chosen.split(BATCH), "background", total=len(chosen), size=len):
        for sight, views in zip(SIGHTS, sights(images[indices.to(images.device)]), strict=True):
            normalized = model.normalize(views.to(model.cls_token.device))
            with autocast(normalized.device):
                background.update(sight, extract(model, normalized))
    path = folder / BACKGROUND
    save_tensors(path, background.finish().state_dict())
    return path
