"""In-painting measured: error on hidden patches, beside what needs no training, on the same images and masks."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attractor.console import progress, stderr
from attractor.scoring.inpainting import hidden_mse, psnr
from attractor.tasks.inpainting.inpainter import Inpainter
from attractor.tasks.inpainting.sketches import Painting

SHARE = 0.5  # of the patches, where they are hidden at random

Fill = Callable[[Tensor, Tensor], Tensor]
Figures = dict[str, Any]


def mean_fill(image: Tensor, mask: Tensor) -> Tensor:
    """Hidden pixels in the mean colour of the visible ones; ``(C, H, W)`` and bool ``(H, W)`` -> ``(C, H, W)``."""
    return torch.where(mask, image[:, ~mask].mean(dim=1)[:, None, None], image)


def biharmonic(image: Tensor, mask: Tensor) -> Tensor:
    """Hidden pixels by the biharmonic equation, ``(C, H, W)`` and bool ``(H, W)`` -> ``(C, H, W)``; scikit-image's.

    Source: Damelin and Hoang (2018), On surface completion and image inpainting by biharmonic functions.
    """
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(image.double().numpy(), mask.numpy(), channel_axis=0)
    return torch.from_numpy(filled).float().clamp(0, 1)


def evaluate_inpainting(
    inpainter: Inpainter, images: Tensor, *, baseline_images: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """PSNR in dB and mean squared error of hidden pixels in 0..1, half of the patches or a central block hidden.

    ``images`` are uint8 ``(N, C, H, W)`` of the model's size. Under each mask, ``all`` has ours on all images, and
    ``compared`` ours, mean fill and biharmonic in-painting on the first ``baseline_images``, with the ``gain`` of
    ours in dB, image by image. Every figure is a mean with its standard error over the images. The masks of the first
    images do not depend on how many there are.
    """
    fills = _baselines()
    masks = {"random": None, "block": "block"}
    return {
        "images": len(images),
        "compared": min(baseline_images, len(images)),
        "seed": seed,
        "masks": {
            name: _measure(inpainter, images, mask, seed, fills, baseline_images) for name, mask in masks.items()
        },
    }


def _measure(
    inpainter: Inpainter, images: Tensor, mask: str | None, seed: int, fills: dict[str, Fill], baseline_images: int
) -> dict[str, Any]:
    """All images by ours, the first ones by the others too, under one kind of mask."""
    paintings = list(inpainter.paint(images, mask, share=SHARE, seed=seed))
    ours = torch.stack([painting.mse for painting in paintings])
    compared = {"attractor": _figures(ours[:baseline_images])}
    for name, fill in fills.items():
        errors = _errors(fill, name, paintings[:baseline_images])
        gains = psnr(ours[:baseline_images]) - psnr(errors)
        compared[name] = {**_figures(errors), "gain": _mean(gains)}
    hidden = torch.stack([painting.mask.float().mean() for painting in paintings]).mean()
    return {"hidden": float(hidden), "all": {"attractor": _figures(ours)}, "compared": compared}


def _baselines() -> dict[str, Fill]:
    if find_spec("skimage"):
        return {"mean fill": mean_fill, "biharmonic": biharmonic}
    stderr.print("biharmonic in-painting is left out: it needs scikit-image (pip install 'attractor[demo]')")
    return {"mean fill": mean_fill}


def _errors(fill: Fill, name: str, paintings: list[Painting]) -> Tensor:
    """Mean squared error of each image's hidden pixels, ``(N,)``."""
    errors = []
    for painting in progress(paintings, name, total=len(paintings)):
        image, mask = painting.image, painting.mask
        errors.append(hidden_mse(image[None], fill(image, mask)[None], mask[None]))
    return torch.cat(errors)


def _figures(mse: Tensor) -> Figures:
    return {"images": len(mse), "psnr": _mean(psnr(mse)), "mse": _mean(mse)}


def _mean(values: Tensor) -> dict[str, float]:
    """Mean and its standard error, which takes two images or more."""
    numbers = values.double().numpy()
    error = np.std(numbers, ddof=1) / np.sqrt(len(numbers)) if len(numbers) > 1 else float("nan")
    return {"mean": float(numbers.mean()), "standard_error": float(error)}
