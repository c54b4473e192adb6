"""The published SELYNE scoring a folder of JPEGs, end to end: its transforms, encoder and Mahalanobis distance.

``clone`` is as for ``selyne_torch``. As in its script, every image is read before the first is encoded, and two further
processes put the batches together. Its transforms are torchvision's, done here by the same calls of pillow and torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from selyne_script import definitions
from selyne_torch import precision, published, versions
from torch import Tensor
from torch.utils.data import DataLoader

__all__ = ["passes", "scoring", "versions"]

SCRIPT = "globaleba_mahalanobis.py"
SIZE, BATCH, WORKERS = 64, 32, 2  # as published
MEAN, STD = (torch.tensor(color).view(3, 1, 1) for color in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
LATENTS = 1024  # random ones, of which the Gaussian is


def read(file: Path) -> Tensor:
    """One image: Resize with Lanczos, ToTensor, Normalize, and flat."""
    with Image.open(file) as image:
        small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    x = torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous().float().div(255)
    return x.sub_(MEAN).div_(STD).reshape(-1)


def scoring(spec: dict[str, Any], folder: Path) -> Callable[[], Any]:
    """A pass over the folder, with a Gaussian fitted beforehand."""
    names, _ = published(spec)
    model, device = names["model"].eval(), names["DEVICE"]
    script, _ = definitions(Path(spec["clone"]) / SCRIPT)
    width = model.classifier.in_features
    latents = np.random.default_rng(spec["seed"]).standard_normal((LATENTS, width), dtype=np.float32)
    mean = torch.from_numpy(latents.mean(axis=0)).to(device)
    inverse = torch.from_numpy(np.linalg.inv(np.cov(latents.T))).float().to(device)

    @torch.no_grad()
    def score() -> list[float]:
        images = script["FlatImageDataset"]([read(file) for file in sorted(folder.iterdir())])
        distances: list[float] = []
        for x in DataLoader(images, BATCH, shuffle=False, num_workers=WORKERS):
            with precision(spec, device):
                z, _ = model.encode(x.to(device))
            distances.extend(script["mahalanobis_distance"](z.float(), mean, inverse).cpu().numpy().tolist())
        return distances

    return score


def passes(spec: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """``folder``: the distances of all images in ``file``."""
    return {"folder": scoring(spec, Path(spec["file"]))}
