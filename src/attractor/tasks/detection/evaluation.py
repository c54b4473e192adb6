"""What an evaluation found: scores, labels, decisions and a few pictures; the report shows nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from attractor.percent import percent
from attractor.tasks.detection.showing import Showing


@dataclass(frozen=True)
class Example:
    """The picture of the image at a ``place`` among the scored ones.

    Shapes: ``original`` and ``reconstruction`` uint8 ``(H, W, 3)`` of the same size (the reconstruction may be
    ``None``); ``heat`` float32 ``(H, W)`` in score units, or ``None``; ``mask`` bool ``(H, W)`` ground truth, or
    ``None``.
    """

    place: int
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
    :func:`attractor.scoring.metrics.image_metrics` returns. ``flagged`` bool ``(n,)`` are the decisions: scores above
    ``threshold`` by more than rounding. ``title`` says what was judged, ``detector`` by what; ``false_alarm_rate`` was
    asked for, decisions are at ``rate_in_force``. ``heat_of`` is the score that the heat maps are of, ``heat_limits``
    their colour scale ``(low, high)`` for the whole set.
    """

    title: str
    paths: list[str]
    labels: np.ndarray
    categories: list[str]
    scores: dict[str, np.ndarray]
    method: str
    p_values: np.ndarray
    flagged: np.ndarray
    threshold: float
    false_alarm_rate: float
    rate_in_force: float
    metrics: dict[str, dict[str, Any]]
    pixel_metrics: dict[str, float] | None = None
    examples: list[Example] = field(default_factory=list)
    heat_of: str = ""
    heat_limits: tuple[float, float] | None = None
    detector: str = ""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def showing(self) -> Showing:
        """The images that are worth a picture."""
        return Showing.of(self.scores[self.method], self.labels, self.flagged)

    def pictures(self, places: Iterable[int]) -> list[Example]:
        """The examples at these places, in this order; there may be none of some."""
        found = {example.place: example for example in self.examples}
        return [found[place] for place in places if place in found]

    @property
    def ranked(self) -> list[tuple[str, dict[str, Any]]]:
        """Every method with its metrics, the best AUROC first."""
        return sorted(self.metrics.items(), key=lambda item: -item[1]["auroc"])

    @property
    def calibrated_to(self) -> str:
        """The false-alarm rate in force, in words, and the one asked for where it differs."""
        asked, in_force = percent(self.false_alarm_rate), percent(self.rate_in_force)
        return f"calibrated to {in_force}" + (f", asked for was {asked}" if asked != in_force else "")

    def summary(self) -> dict[str, Any]:
        """JSON of the evaluation: the chosen method's metrics at the top level, every method's under ``methods``."""
        return {
            **self.metrics[self.method],
            **(self.pixel_metrics or {}),
            "method": self.method,
            "threshold": self.threshold,
            "false_alarm_rate_target": self.false_alarm_rate,
            "false_alarm_rate_in_force": self.rate_in_force,
            "normal": int((self.labels == 0).sum()),
            "anomalous": int((self.labels == 1).sum()),
            "unreadable": [{"path": p, "reason": r} for p, r in self.unreadable],
            "methods": self.metrics,
            "notes": self.notes,
            **self.provenance,
        }
