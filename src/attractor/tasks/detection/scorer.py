"""Preprocess, model and scores in one module: views of images in, one number an image and method out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.data.views import Canvas, Viewing, stitch
from attractor.models import Selyne
from attractor.models.device import autocast
from attractor.models.features import Features, extract
from attractor.scoring.background import Background
from attractor.scoring.methods import COMBINED, COMBINED_TILES, OVERVIEW, Method, geometric_mean, methods_for

T = TypeVar("T")
SMOOTHING = 4.0  # pixels: standard deviation of the Gaussian that smooths a heat map


class ImageScorer(nn.Module):
    """A model, the scores fitted on its features, and how images become views.

    Methods that give a number a view score an image by the worst of its views; what local ones give, a number a place,
    is stitched to a map, which smoothed for the eye is the heat map, and of which the worst place counts where the
    method does not judge views. Where there are tiles, those of :data:`~attractor.scoring.methods.OVERVIEW` score the
    whole image made small instead, and where damage is looked for ``combined`` has a heat map too, its parts
    multiplied place by place.
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

    def update(self, canvases: list[Canvas], views: Tensor) -> None:
        """Fit every method on uint8 views of normal images."""
        for name, (features, _) in self._sights(canvases, self.features(views)).items():
            self.method(name).update(features)

    def finish(self) -> None:
        """End the fit."""
        for name in self.methods:
            self.method(name).finish()

    def method(self, name: str) -> Method:
        """The method of that name."""
        return cast(Method, self.methods[name])

    def _sights(self, canvases: list[Canvas], features: Features) -> dict[str, tuple[Features, list[int]]]:
        """By method the features of the views it reads, and how many there are of every image."""
        counts = [canvas.views for canvas in canvases]
        if not self.viewing.tiles:
            return dict.fromkeys(self.methods, (features, counts))
        last = torch.zeros(sum(counts), dtype=torch.bool).index_fill(0, torch.tensor(counts).cumsum(0) - 1, True)
        overviews, tiles = (Features(*(values[at] for values in features)) for at in (last, ~last))
        ones, rest = [1] * len(counts), [count - 1 for count in counts]
        return {name: (overviews, ones) if name in OVERVIEW else (tiles, rest) for name in self.methods}

    @torch.inference_mode()
    def forward(
        self, canvases: list[Canvas], views: Tensor, heats: bool = True
    ) -> tuple[dict[str, Tensor], dict[str, list[Tensor]]]:
        """Scores ``(images,)`` by method, float64; by local method, the heat map ``(H, W)`` of every image."""
        everything = self.features(views)
        scores, oddest, maps = {}, {}, {}
        by_view: dict[str, tuple[Tensor, ...]] = {}
        for name, (features, counts) in self._sights(canvases, everything).items():
            method = self.method(name)
            scored = method(features).cpu()
            by_view[name] = method.of_views(scored).split(counts)
            scores[name] = oddest[name] = worst(by_view[name])
            if scored.ndim == 2:
                places = [
                    self.stitched(v, canvas, method.grid)
                    for v, canvas in zip(scored.split(counts), canvases, strict=True)
                ]
                if heats:
                    maps[name] = [smooth(v.float(), SMOOTHING) for v in places]
                if method.by_map:
                    scores[name] = worst(places)
        if heats and self.viewing.tiles and "damage" in maps:
            maps["combined"] = [self.product(i, canvas, by_view, maps) for i, canvas in enumerate(canvases)]
        scores["combined"] = self.combined(oddest, self.background(everything) if self.background else {})
        return scores, maps

    @property
    def parts(self) -> list[str]:
        """The methods that ``combined`` is made of."""
        return [name for name in (COMBINED_TILES if self.viewing.tiles else COMBINED) if name in self.methods]

    def combined(self, oddest: dict[str, Tensor], ground: dict[str, Tensor]) -> Tensor:
        """Geometric mean ``(images,)`` of its parts, relative to the background where there is one.

        ``oddest (images,)`` is what the worst view of an image has, even by ``places``, whose own score is that of the
        map.
        """
        return geometric_mean([oddest[name] / ground.get(name, torch.ones(())).cpu() for name in self.parts])

    def product(
        self, image: int, canvas: Canvas, by_view: dict[str, tuple[Tensor, ...]], maps: dict[str, list[Tensor]]
    ) -> Tensor:
        """Heat ``(H, W)`` of ``combined`` in tiles: the geometric mean of its parts at every place.

        A tile's number is that of all its places, the whole image's that of all places.
        """
        factors = []
        for name in self.parts:
            numbers = by_view[name][image]
            if name in maps:
                factor = self.method(name).factor(maps[name][image].double())
            elif name in OVERVIEW:
                factor = numbers.double().expand(canvas.size)
            else:
                factor = self.stitched(numbers.double()[:, None], canvas, (1, 1))
            factors.append(factor)
        return geometric_mean(factors).float()

    def stitched(self, maps: Tensor, canvas: Canvas, grid: tuple[int, int]) -> Tensor:
        """Map ``(H, W)`` of an image as looked at, from the scores ``(V, N)`` of its views' places, in a grid each."""
        return stitch(maps.unflatten(1, grid), canvas, self.viewing.size)


def shown(local: dict[str, T], method: str) -> T:
    """The entry of ``method``, where it has a heat map; else of the first that has of those that tell places best."""
    return next(local[name] for name in (method, "combined", "damage", "places", "patches") if name in local)


def joined(batches: list[dict[str, Tensor]], names: list[str]) -> dict[str, np.ndarray]:
    """Scores of batches as those of all images, ``(n,)`` by method; n may be 0."""
    none = torch.zeros(0, dtype=torch.float64)
    return {name: torch.cat([none, *(batch[name] for batch in batches)]).numpy() for name in names}


def worst(numbers: Iterable[Tensor]) -> Tensor:
    """The largest of each image's numbers, ``(images,)``."""
    return torch.stack([each.max() for each in numbers])


def smooth(heat: Tensor, deviation: float) -> Tensor:
    """Gaussian blur of ``(..., H, W)`` with reflected borders."""
    radius = min(round(3 * deviation), min(heat.shape[-2:]) - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=heat.dtype)
    kernel = torch.softmax(-offsets.square() / (2 * deviation**2), dim=0)
    padded = F.pad(heat.reshape(-1, 1, *heat.shape[-2:]), [radius] * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1)).view_as(heat)
