"""Rows of pretraining, and encoders that other rows need trained first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attractor.data.sets.labelled_sets import labelled_set
from attractor.files import read_json
from attractor.report import write_training_figures
from attractor.reproduce.part import Kind, Part
from attractor.training.checkpoint import CHECKPOINT
from attractor.training.pretrain import PretrainRecipe
from attractor.training.recipe import read_recipe, shipped
from attractor.training.runs import RESULT, run_pretraining

DATA = "tiny-imagenet"


def trained(recipe: str, folder: Path, work: Path, seed: int | None = None) -> Path:
    """The folder of the encoder that the recipe makes on the set in ``folder``; trained once, or gone on with."""
    if not (work / RESULT).exists():
        settings = read_recipe(shipped(recipe), PretrainRecipe, seed)
        size = settings.config(1).image_size
        train_set, val_set = (labelled_set(DATA, folder, split, size) for split in ("train", "val"))
        resume = (work / CHECKPOINT).exists()
        run_pretraining(settings, train_set, val_set, work, write_training_figures, resume)
    return work / "best"


class Pretrained(Kind):
    """Validation accuracy and reconstruction energy of the epoch with the best accuracy; the setting is ``recipe``."""

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """The run as one part."""

        def measure() -> dict[str, float]:
            work = self.run_folder(settings, seed)
            trained(settings["recipe"], self.folder, work, seed)
            best = max(read_json(work / RESULT)["history"], key=lambda row: row["val_accuracy"])
            return {name: best[name] for name in ("val_accuracy", "val_reconstruction")}

        yield Part("", measure)

    def weights(self, settings: dict[str, Any], seed: int) -> Path:
        """Those of the best epoch."""
        return self.run_folder(settings, seed) / "best"
