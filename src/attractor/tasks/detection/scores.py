"""What a detector says of a set of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attractor.data.images import UnreadableImage


@dataclass(frozen=True)
class ImageScores:
    """Scores of a set of images: the readable ones in order, and what could not be read.

    ``indices`` are places in the input, ``scores[name] (n,)`` raw scores by method, ``p_values (n,)`` and
    ``anomalous (n,)`` those of ``method``; ``heats[i]`` is the float32 heat map of image i at the size to show, when
    asked for, and ``heat_limits`` their colour scale ``(low, high)``. Heat is that of ``method`` where it has a map,
    else of what tells places best: ``combined`` in tiles with damage tuning, ``patches`` in others, ``places`` of whole
    images.
    """

    names: list[str]
    indices: list[int]
    scores: dict[str, np.ndarray]
    method: str
    p_values: np.ndarray
    anomalous: np.ndarray
    unreadable: list[UnreadableImage]
    heats: list[np.ndarray]
    heat_limits: tuple[float, float]
