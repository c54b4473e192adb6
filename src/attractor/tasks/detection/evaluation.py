"""What an evaluation found: scores, labels, decisions and a few pictures; the report shows nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Example:
    """One picture worth showing.

    Shapes: ``original`` and ``reconstruction`` uint8 ``(H, W, 3)`` of the same size (the reconstruction may be
    ``None``); ``heat`` float32 ``(H, W)`` in score units, or ``None``; ``mask`` bool ``(H, W)`` ground truth, or
    ``None``.
    """

    path: str
    label: int
    score: float
    p_value: float
    original: np.ndarray
    reconstruction: np.ndarray | None = None
    heat: np.ndarray | None = None
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class Evaluation:
    """Scores of one labelled set by every method, the decisions of the chosen one, and what they are worth.

    ``scores[name]`` is ``(n,)``, higher is more anomalous; ``labels`` is 0 (normal) or 1 (anomalous); ``categories``
    is the folder each file came from (``"good"``, ``"crack"``, ...). ``metrics[name]`` is what
    :func:`attractor.scoring.metrics.image_metrics` returns; ``heat_limits`` is the data-set-wide colour scale
    ``(low, high)``.
    """

    title: str
    paths: list[str]
    labels: np.ndarray
    categories: list[str]
    scores: dict[str, np.ndarray]
    method: str
    p_values: np.ndarray
    threshold: float
    false_alarm_rate: float
    metrics: dict[str, dict[str, Any]]
    pixel_metrics: dict[str, float] | None = None
    examples: list[Example] = field(default_factory=list)
    heat_limits: tuple[float, float] | None = None
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """JSON of the evaluation: the chosen method's metrics at the top level, every method's under ``methods``."""
        return {
            **self.metrics[self.method],
            **(self.pixel_metrics or {}),
            "method": self.method,
            "threshold": self.threshold,
            "false_alarm_rate_target": self.false_alarm_rate,
            "normal": int((self.labels == 0).sum()),
            "anomalous": int((self.labels == 1).sum()),
            "unreadable": [{"path": p, "reason": r} for p, r in self.unreadable],
            "methods": self.metrics,
            "notes": self.notes,
            **self.provenance,
        }
