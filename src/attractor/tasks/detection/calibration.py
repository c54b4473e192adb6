"""What normal images that nothing was fitted on tell: from which score on to flag, and how hot is hot."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from attractor.data.batches import view_batches_with_progress
from attractor.data.images import UnreadableImage
from attractor.data.sources import ImageSource
from attractor.data.views import Canvas
from attractor.errors import InputError
from attractor.models.store import fingerprint
from attractor.scoring.conformal import ConformalCalibrator
from attractor.tasks.detection.scorer import ImageScorer, joined

HEAT_SAMPLE = 2_000  # heat values a calibration image gives to the common colour scale


class Calibration(NamedTuple):
    """By method the calibrator, and the colour scale ``(low, high)`` of heat maps; ``copies`` were fitted on before."""

    calibrators: dict[str, ConformalCalibrator]
    heat_limits: dict[str, tuple[float, float]]
    copies: int


def calibrated(
    scorer: ImageScorer,
    images: ImageSource,
    false_alarm_rate: float,
    fitted_on: Set[str],
    unreadable: list[UnreadableImage],
) -> Calibration:
    """Conformal calibrators and colour scales; ``fitted_on`` are :func:`digests` of what the scorer was fitted on.

    Unreadable images are appended to ``unreadable``. Raises :class:`InputError` where none can be read.
    """
    copies, batches = 0, []
    samples: dict[str, list[Tensor]] = {}
    for canvases, views in view_batches_with_progress(images, scorer.viewing, "calibrating", unreadable):
        copies += sum(digest in fitted_on for digest in digests(canvases, views))
        scores, heats = scorer(canvases, views)
        batches.append(scores)
        for name, maps in heats.items():
            samples.setdefault(name, []).extend(h.flatten()[:: max(1, h.numel() // HEAT_SAMPLE)] for h in maps)
    if not batches:
        raise InputError(f"none of the {len(images)} calibration images can be read; the first: {unreadable[0]}")
    scored = joined(batches, scorer.names)
    return Calibration(
        {name: ConformalCalibrator(false_alarm_rate).fit(values) for name, values in scored.items()},
        {name: _colour_scale(torch.cat(sample).numpy()) for name, sample in samples.items()},
        copies,
    )


def digests(canvases: list[Canvas], views: Tensor) -> list[str]:
    """One for each image: the same for those of which the same is seen."""
    return [fingerprint([seen]) for seen in views.split([canvas.views for canvas in canvases])]


def _colour_scale(heat: np.ndarray) -> tuple[float, float]:
    """From the median of normal heat to twice as far as its highest thousandth."""
    low, high = (float(q) for q in np.quantile(heat, (0.5, 0.999)))
    return low, low + 2 * (high - low)
