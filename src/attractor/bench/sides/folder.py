"""A folder of JPEGs scored end to end: decoded, made small, encoded, and measured against a latent Gaussian."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import torch

from attractor.bench.sides.common import Pass, Spec, counted, device_mb, forward, prepare, versions
from attractor.data.batches import view_batches
from attractor.data.sources import as_source
from attractor.data.views import Viewing
from attractor.models import Selyne, SelyneConfig
from attractor.scoring.gaussian import LatentGaussian

__all__ = ["device_mb", "operations", "passes", "versions"]

LATENTS = 1024  # random ones, of which the Gaussian is


def passes(spec: Spec) -> dict[str, Pass]:
    """``folder``: Mahalanobis distances of the images in ``file``, or of the first ``images`` of them."""
    device = prepare(spec)
    model = Selyne(SelyneConfig()).to(device).eval()
    gaussian = LatentGaussian(model.config.latent)
    gaussian.update(torch.randn(LATENTS, model.config.latent))
    gaussian = gaussian.finish().to(device)
    files = list(islice(sorted(Path(spec["file"]).iterdir()), spec.get("images")))

    def score() -> list[torch.Tensor]:
        batches = view_batches(as_source(files, 3), Viewing(model.config.image_size), [], batch_size=spec["batch"])
        return [gaussian.score(model.encode(model.normalize(views.to(device))).z.float()) for _, views in batches]

    return {"folder": forward(score, spec, device)}


def operations(spec: Spec) -> dict[str, float]:
    """Of the matrix products; decoding has no floor here."""
    return counted(passes, spec)
