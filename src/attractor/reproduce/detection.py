"""Rows of anomaly detection in images: fit on normal images, score all, once for every class that is normal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from attractor.data.sets.one_class import OneClass, one_class_splits
from attractor.report import write_report
from attractor.reproduce.part import Kind, Part
from attractor.reproduce.pretraining import trained
from attractor.tasks import AnomalyDetector, evaluate_images
from attractor.tasks.detection.baseline import pixel_neighbours

BASELINE = "pixels"  # measure of the plain baseline


class Detection(Kind):
    """AUROC of every score; ``pixel_auroc`` and ``aupro`` where there are masks, ``pixels`` of a plain baseline.

    Settings are those of :class:`~attractor.tasks.AnomalyDetector`, or a ``recipe``, by which its encoder is trained
    first. The first part's report lies in ``work``.
    """

    def __init__(self, data: str, folder: Path, work: Path):
        super().__init__(data, folder, work)
        self.baselines: dict[str, float] = {}

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """One part for each class that is normal in turn."""
        for split in self.splits:
            yield Part(split.normal, partial(self.measure, split, dict(settings), seed))

    def weights(self, settings: dict[str, Any], seed: int) -> Path | None:
        """The encoder's; one that the recipe makes is the same for all seeds."""
        return self.work / settings["recipe"] / "best" if "recipe" in settings else super().weights(settings, seed)

    @cached_property
    def splits(self) -> list[OneClass]:
        """The set, read once for all variants and seeds."""
        return list(one_class_splits(self.data, self.folder))

    def measure(self, split: OneClass, settings: dict[str, Any], seed: int) -> dict[str, float]:
        """Fit and evaluate once."""
        if recipe := settings.pop("recipe", None):
            settings["model"] = str(trained(recipe, self.folder, self.work / recipe))
        detector = AnomalyDetector(**settings, seed=seed).fit(split.train)
        page = self.work / "report"
        first = not (page / "index.html").exists()
        resamples = 1000 if first else 1  # of intervals that only the report shows
        evaluation = evaluate_images(
            detector, split.test, f"{self.data}, {split.normal}", bootstrap=resamples, examples=first
        )
        if first:
            write_report(evaluation, page)
        values = {name: metrics["auroc"] for name, metrics in evaluation.metrics.items()}
        return {**values, **(evaluation.pixel_metrics or {}), BASELINE: self.baseline(split)}

    def baseline(self, split: OneClass) -> float:
        """Neither seeds nor variants change it."""
        if split.normal not in self.baselines:
            self.baselines[split.normal] = pixel_neighbours(split.train, split.test)
        return self.baselines[split.normal]
