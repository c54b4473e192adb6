"""Preprocess, model and scores in one module: views of images in, one number an image and method out."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.data.views import Canvas, Viewing, stitch
from attractor.models import Selyne
from attractor.models.features import Features, extract
from attractor.models.precision import autocast
from attractor.scoring.background import Background
from attractor.scoring.methods import COMBINED, Method, geometric_mean, methods_for

T = TypeVar("T")
SMOOTHING = 4.0  # pixels: standard deviation of the Gaussian that smooths a heat map


class ImageScorer(nn.Module):
    """A model, the scores fitted on its features, and how images become views.

    Methods that give a number a view score an image by the worst of its views, local ones, that give a number a
    patch, by the worst place of the map they are stitched to; smoothed for the eye, that map is the heat map.
    ``damage``: offer the method of that name. ``background``: what distances are divided by before they are combined.
    Everything a saved detector scores with is in this module's state dict.
    """

    def __init__(self, model: Selyne, viewing: Viewing, damage: bool = False, background: Background | None = None):
        super().__init__()
        self.model, self.viewing = model, viewing
        self.methods = methods_for(model.config, tiles=viewing.tiles, damage=damage)
        self.background = background

    @property
    def names(self) -> list[str]:
        """The methods this model offers."""
        return [*self.methods, "combined"]

    def features(self, views: Tensor) -> Features:
        """Features of uint8 views ``(V, C, h, w)``."""
        images = self.model.normalize(views.to(self.model.cls_token.device))
        with torch.inference_mode(), autocast(images.device):
            return extract(self.model, images)

    def update(self, views: Tensor) -> None:
        """Fit every method on uint8 views of normal images."""
        features = self.features(views)
        for method in self._each():
            method.update(features)

    def finish(self) -> None:
        """End the fit."""
        for method in self._each():
            method.finish()

    def _each(self) -> list[Method]:
        return list(self.methods.values())  # type: ignore[arg-type]

    @torch.inference_mode()
    def forward(
        self, canvases: list[Canvas], views: Tensor, heats: bool = True
    ) -> tuple[dict[str, Tensor], dict[str, list[Tensor]]]:
        """Scores ``(images,)`` by method, float64; by local method, the heat map ``(H, W)`` of every image."""
        features = self.features(views)
        counts = [len(canvas.origins) for canvas in canvases]
        views_scored = {name: method(features).cpu() for name, method in self.methods.items()}
        views_scored["combined"] = self.combined(features, views_scored)
        scores, maps = {}, {}
        for name, scored in views_scored.items():
            values = scored.split(counts)
            if scored.ndim == 2:
                values = [self.stitched(v, canvas) for v, canvas in zip(values, canvases, strict=True)]
                if heats:
                    maps[name] = [smooth(v.float(), SMOOTHING) for v in values]
            scores[name] = torch.stack([v.max() for v in values])
        return scores, maps

    def combined(self, features: Features, scored: dict[str, Tensor]) -> Tensor:
        """Geometric mean ``(V,)`` of the methods of that kind, relative to the background where there is one."""
        ground = self.background(features) if self.background else {}
        parts = [scored[name] / ground.get(name, torch.ones(())).cpu() for name in COMBINED if name in scored]
        return geometric_mean([part.amax(dim=1) if part.ndim == 2 else part for part in parts])

    def stitched(self, maps: Tensor, canvas: Canvas) -> Tensor:
        """Map ``(H, W)`` of an image as looked at, from the patch scores ``(V, N)`` of its views."""
        grid = self.model.config.grids[self.model.config.finest]
        return stitch(maps.unflatten(1, grid), canvas, self.viewing.size)


def shown(local: dict[str, T], method: str) -> T:
    """What belongs to the method that decides, where that is local; else to ``damage`` or, untrained, ``patches``."""
    return local.get(method, local.get("damage", local["patches"]))


def smooth(heat: Tensor, deviation: float) -> Tensor:
    """Gaussian blur of ``(H, W)`` with reflected borders."""
    radius = min(round(3 * deviation), min(heat.shape) - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=heat.dtype)
    kernel = torch.softmax(-offsets.square() / (2 * deviation**2), dim=0)
    padded = F.pad(heat[None, None], [radius] * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[0, 0]
