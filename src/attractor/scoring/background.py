"""Images of anything, as the ground against which normal ones stand out."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.models import SelyneConfig
from attractor.models.features import Features
from attractor.models.store import load_tensors, load_weights
from attractor.scoring.gaussian import LatentGaussian
from attractor.scoring.methods import GaussianMethod, LevelsMethod, Method, NeighboursMethod

KEPT = 2_000  # latents of every sight that nearest neighbours keep
SIGHTS = ("sharp", "coarse")
BACKGROUND = "background.safetensors"  # beside the weights of the encoder


def sights(views: Tensor) -> list[Tensor]:
    """Views ``(V, C, h, w)``, uint8, as they are, and as if they had had half as many pixels a side."""
    h, w = views.shape[-2:]
    small = F.interpolate(views.float(), (max(1, h // 2), max(1, w // 2)), mode="area")
    coarse = F.interpolate(small, (h, w), mode="bicubic", align_corners=False)
    return [views, coarse.round().clamp(0, 255).to(views.dtype)]


class Background(nn.Module):
    """Distance of views from images of anything: the smaller of that to sharp ones and to the same at half resolution.

    What a camera or file format does to an image moves it away from normal images and from all others alike, so a
    distance from the normal images counts only relative to this one. Two resolutions, because images of few pixels lie
    farther from sharp images than from each other. After Ren et al. (2021), A simple fix to Mahalanobis distance for
    improving near-OOD detection, whose difference is a ratio here.
    """

    def __init__(self, config: SelyneConfig):
        super().__init__()
        self.sights = nn.ModuleDict(
            {
                sight: nn.ModuleDict(
                    {
                        "mahalanobis": GaussianMethod("latent", config),
                        "knn": NeighboursMethod("latent", KEPT),
                        "levels": LevelsMethod(config),
                    }
                )
                for sight in SIGHTS
            }
        )
        self._halve()

    def update(self, sight: str, features: Features) -> None:
        """Take in the features of one sight of images of anything."""
        for method in self._each(sight).values():
            method.update(features)

    def finish(self) -> Background:
        """End the fit; Gaussians are kept in half precision, which distances to be divided by do not need more than."""
        for sight in SIGHTS:
            for method in self._each(sight).values():
                method.finish()
        self._halve()
        return self

    def _halve(self) -> None:
        for module in self.modules():
            if isinstance(module, LatentGaussian):
                module.mean, module.cholesky = module.mean.half(), module.cholesky.half()

    def forward(self, features: Features) -> dict[str, Tensor]:
        """By method, the distance ``(V,)`` from the nearer sight."""
        each = [{name: method(features) for name, method in self._each(sight).items()} for sight in SIGHTS]
        return {name: torch.stack([found[name] for found in each]).min(dim=0).values for name in each[0]}

    def _each(self, sight: str) -> dict[str, Method]:
        return dict(cast(nn.ModuleDict, self.sights[sight]).items())  # type: ignore[arg-type]


def load_background(folder: Path, config: SelyneConfig) -> Background | None:
    """The background of the encoder in ``folder``, if it has one; a foreign file raises :class:`InputError`."""
    path = folder / BACKGROUND
    if not path.exists():
        return None
    background = Background(config)
    load_weights(background, load_tensors(path), str(path))
    return background.eval()
