"""Rows of pretraining, and encoders that other rows need trained first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml

from attractor.data.sets.class_images import class_images
from attractor.files import read_json, write_json
from attractor.provenance import provenance
from attractor.report import write_training_figures
from attractor.reproduce.part import Kind, Part
from attractor.training.background import write_background
from attractor.training.loop import seed_everything, train
from attractor.training.pretrain import Pretraining, PretrainRecipe
from attractor.training.recipe import TRAINING, Recipe

DATA = "tiny-imagenet"
R = TypeVar("R", bound=Recipe)


def read_training(kind: type[R], name: str, seed: int | None = None) -> R:
    """A training recipe that ships, by name, with another seed where one is given."""
    values = yaml.safe_load((TRAINING / f"{name}.yaml").read_text(encoding="utf-8"))
    return kind.parse({**values, **({} if seed is None else {"seed": seed})}, name)


def trained(recipe: str, folder: Path, work: Path, seed: int | None = None) -> str:
    """The folder of the encoder that the recipe makes on the set in ``folder``; trained once, or gone on with."""
    if not (work / "result.json").exists():
        settings = read_training(PretrainRecipe, recipe, seed)
        size = settings.config(1).image_size
        train_set, val_set = (class_images(DATA, folder, split, size) for split in ("train", "val"))
        seed_everything(settings.seed)
        objective = Pretraining(settings, train_set, val_set)
        history = train(objective, settings.schedule(), work, resume=(work / "checkpoint.pt").exists())
        write_training_figures(history, work)
        write_background(work / "best", train_set.images)
        write_json(work / "result.json", {"name": recipe, "history": history, **provenance()})
    return str(work / "best")


class Pretrained(Kind):
    """Validation accuracy and reconstruction energy of the epoch with the best accuracy; the setting is ``recipe``."""

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """The run as one part."""

        def measure() -> dict[str, float]:
            work = self.work / f"{settings['recipe']}-seed-{seed}"
            trained(settings["recipe"], self.folder, work, seed)
            best = max(read_json(work / "result.json")["history"], key=lambda row: row["val_accuracy"])
            return {name: best[name] for name in ("val_accuracy", "val_reconstruction")}

        yield Part("", measure)
