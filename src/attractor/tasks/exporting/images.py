"""A fitted detector of images as one module of tensors: from pixels to score, p-value, decision and heat map."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from attractor.data.views import at_pixels
from attractor.errors import InputError
from attractor.interop.onnx import Portable
from attractor.models.features import Features, extract
from attractor.percent import percent
from attractor.scoring.methods import OVERVIEW, check_method
from attractor.tasks.detection.detector import AnomalyDetector
from attractor.tasks.detection.scorer import SMOOTHING, ImageScorer, shown, smooth
from attractor.tasks.exporting.scores import Calibration, make_portable

EXAMPLES = 3  # images, or tiles, that a file is tried with
DECISION = ("score", "p_value", "anomalous")


class Deciding(nn.Module):
    """One score of a detector, and what its calibration makes of it; everything in float32 on the CPU, or float64."""

    def __init__(self, detector: AnomalyDetector, method: str):
        super().__init__()
        self.scorer: ImageScorer = copy.deepcopy(detector.scorer_).cpu()
        make_portable(self.scorer)
        self.name, self.calibration = method, Calibration(detector.calibrators_[method])
        self.names = self.scorer.parts if method == "combined" else [method]

    def features(self, views: Tensor) -> Features:
        """Features of uint8 views ``(V, C, h, w)``."""
        model = self.scorer.model
        return extract(model, model.normalize(views))


class WholeImages(Deciding):
    """uint8 images ``(B, C, h, w)`` -> score, p-value, decision ``(B,)``, heat ``(B, h, w)``."""

    def __init__(self, detector: AnomalyDetector, method: str):
        super().__init__(detector, method)
        self.local = shown({name: name for name in detector.heat_limits_}, method)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        features = self.features(images)
        scored = {name: self.scorer.method(name)(features) for name in dict.fromkeys([*self.names, self.local])}
        places = scored[self.local].float().unflatten(1, self.scorer.method(self.local).grid)
        heat = at_pixels(places, self.scorer.viewing.size)
        if self.name == "combined":
            oddest = {name: self.scorer.method(name).of_views(scored[name]) for name in self.names}
            ground = self.scorer.background(features) if self.scorer.background else {}
            score = self.scorer.combined(oddest, ground)
        elif self.name == self.local and self.scorer.method(self.name).by_map:
            score = heat.flatten(1).amax(dim=1).double()
        else:
            score = self.scorer.method(self.name).of_views(scored[self.name])
        return (score, *self.calibration(score), smooth(heat, SMOOTHING))


class TiledImage(Deciding):
    """uint8 tiles ``(V, C, h, w)`` of an image and all of it ``(1, C, h, w)`` -> score, p-value, decision ``(1,)``.

    Raises :class:`InputError` for a score that is read off a map, which would have to be laid together of the tiles.
    """

    def __init__(self, detector: AnomalyDetector, method: str):
        super().__init__(detector, method)
        for name in self.names:
            if name in detector.heat_limits_ and self.scorer.method(name).by_map:
                raise InputError(f"{name!r} lays the tiles together, which an ONNX file does not; choose another score")

    def forward(self, tiles: Tensor, overview: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        near, far = self.features(tiles), self.features(overview)
        oddest = {name: self._oddest(name, far if name in OVERVIEW else near) for name in self.names}
        score = self.scorer.combined(oddest, {}) if self.name == "combined" else oddest[self.name]
        return (score, *self.calibration(score))

    def _oddest(self, name: str, features: Features) -> Tensor:
        method = self.scorer.method(name)
        return method.of_views(method(features)).amax(dim=0, keepdim=True)


def portable_detector(detector: AnomalyDetector, method: str | None = None) -> Portable:
    """A fitted detector, deciding by one of its scores, its own unless given."""
    name = check_method(method or detector.method, detector.scorer_.names)
    scorer, rate = detector.scorer_, detector.calibrators_[name].achievable_rate
    h, w = scorer.viewing.size
    notes = {"method": name, "false_alarm_rate": percent(rate)}
    examples = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (EXAMPLES, scorer.model.config.channels, h, w), dtype=torch.uint8, generator=examples)
    if scorer.viewing.tiles:
        every = f"one every {h // 2} pixels down and {w // 2} across, the last flush with the border"
        size = f"longer than {scorer.viewing.resolution} pixels a side it is reduced to that first"
        notes["input"] = f"tiles of one image, {every}; {size}; overview: all of it resized to {h} x {w}"
        return Portable(
            TiledImage(detector, name), {"tiles": pixels, "overview": pixels[:1]}, {"tiles": "tiles"}, DECISION, notes
        )
    module = WholeImages(detector, name)
    low, high = detector.heat_limits_[module.local]
    notes["input"] = f"images resized to {h} x {w} pixels, bicubic, their aspect ratio not kept"
    notes["heat"] = f"of {module.local}; shown from {low:.6g} to {high:.6g}"
    return Portable(module, {"images": pixels}, {"images": "images"}, (*DECISION, "heat"), notes)
