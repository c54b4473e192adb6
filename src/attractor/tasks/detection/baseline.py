"""The plain baseline every detector must beat: nearest neighbours on small grey pixels."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.metrics import roc_auc_score

from attractor.data.batches import load_batches
from attractor.data.layouts import LabelledSource
from attractor.data.sources import ImageSource, as_source
from attractor.scoring.neighbours import NearestNeighbours

SIDE = 32


def pixel_neighbours(normal: Any, labelled: LabelledSource) -> float:
    """AUROC of the mean Euclidean distance to the five nearest normal images, as 32 x 32 grey pixels."""
    bank, _ = _pixels(as_source(normal, 1))
    queries, kept = _pixels(as_source(labelled.source, 1))
    scores = NearestNeighbours(metric="euclidean").fit(bank).score(queries)
    return float(roc_auc_score(labelled.labels[kept], scores))


def _pixels(source: ImageSource) -> tuple[torch.Tensor, list[int]]:
    batches = list(load_batches(source, (SIDE, SIDE), []))
    return torch.cat([b for _, b in batches]).flatten(1).float() / 255, [i for kept, _ in batches for i in kept]
