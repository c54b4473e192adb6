"""A training run as a folder: weights, figures, and last ``result.json``, so that who finds it finds the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import Tensor

from attractor.data.labelled import LabelledImages
from attractor.errors import InputError
from attractor.files import write_json
from attractor.provenance import provenance
from attractor.training.background import write_background
from attractor.training.checkpoint import CHECKPOINT
from attractor.training.inpainting import InpaintRecipe
from attractor.training.loop import History, train
from attractor.training.pretrain import Pretraining, PretrainRecipe
from attractor.training.recipe import Recipe
from attractor.training.seeding import seeded

Draw = Callable[[History, Path], object]  # writes figures of a history into a folder: reports are a room above


class Painter(Protocol):
    """As much of :class:`~attractor.tasks.Inpainter`, of a room above, as a run needs."""

    recipe_: InpaintRecipe
    split_: dict[str, int]
    history_: History

    def train(
        self, recipe: InpaintRecipe, images: Tensor, val_images: Tensor | None, *, checkpoint: Path, resume: bool
    ) -> object:
        """Train by a recipe, checkpointed in a folder."""

    def save(self, folder: Path) -> object:
        """Write it as a folder."""


P = TypeVar("P", bound=Painter)
RESULT = "result.json"


def require_free(folder: Path, resume: bool = False, checkpoints: str = CHECKPOINT) -> None:
    """Raise :class:`InputError` where a run in ``folder`` would spoil another, finished or begun, or what was fitted.

    ``checkpoints``: a pattern of the files that one which has begun keeps there.
    """
    begun = sorted(folder.glob(checkpoints))
    if (folder / RESULT).exists():
        raise InputError(f"the run in {folder} is finished; choose another folder")
    if begun and not resume:
        raise InputError(
            f"{begun[0]} is of an interrupted run; add --resume to go on with it, or choose another folder"
        )
    if (folder / "config.json").exists() and not begun:  # a run killed while it wrote its model has both
        raise InputError(f"{folder} holds a finished model; choose another folder")


def run_pretraining(
    recipe: PretrainRecipe, train_set: LabelledImages, val_set: LabelledImages, folder: Path, draw: Draw, resume: bool
) -> dict[str, Any]:
    """Train SELYNE: ``best/`` with its background, ``final/``, figures and the result, which is returned."""
    require_free(folder, resume)
    with seeded(recipe.seed):
        objective = Pretraining(recipe, train_set, val_set)
    history = train(objective, recipe.schedule(), folder, resume)
    write_background(folder / "best", train_set.images)
    best = max(history, key=lambda row: row["val_accuracy"])
    figures = {"val_accuracy": best["val_accuracy"], "val_reconstruction": best["val_reconstruction"]}
    images = {"train_images": len(train_set.labels), "val_images": len(val_set.labels)}
    return _finish(folder, recipe, history, images, {**figures, "best_epoch": best["epoch"]}, draw)


def train_painter(
    make: Callable[..., P], recipe: InpaintRecipe, images: Tensor, val_images: Tensor | None, folder: Path, resume: bool
) -> P:
    """The in-painter that ``make`` gives of what the recipe starts from, trained; images uint8 ``(N, C, H, W)``."""
    require_free(folder, resume)
    with seeded(recipe.seed):
        network = recipe.network()
    painter = make(network, seed=recipe.seed)
    painter.train(recipe, images, val_images, checkpoint=folder, resume=resume)
    return painter


def write_painter(painter: Painter, folder: Path, draw: Draw) -> None:
    """Write an in-painter that was trained in ``folder``, figures and the result."""
    painter.save(folder)
    figures = {name: value for name, value in painter.history_[-1].items() if name.startswith("val_")}
    _finish(folder, painter.recipe_, painter.history_, painter.split_, figures, draw)


def _finish(
    folder: Path, recipe: Recipe, history: History, images: dict[str, int], figures: dict[str, float], draw: Draw
) -> dict[str, Any]:
    """What is common to all runs: the figures, with what it took to get them; no checkpoint stays behind."""
    draw(history, folder)
    result = {
        "name": recipe.name,
        **figures,
        **images,
        "seed": recipe.seed,
        "hours": sum(row["seconds"] for row in history) / 3600,
        "recipe": recipe.model_dump(),
        "history": history,
        **provenance(),
    }
    write_json(folder / RESULT, result)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return result
