"""``attractor pretrain``: train an encoder from a recipe."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attractor.console import stderr
from attractor.errors import InputError
from attractor.files import require_writable, write_json

if TYPE_CHECKING:
    from attractor.training.pretrain import PretrainRecipe


def pretrain(
    recipe: Path = typer.Argument(help="YAML recipe; see recipes/.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="Folder of the run.", show_default=False),
    data: Path | None = typer.Option(None, help="Folder or archive of the images, instead of the recipe's."),
    resume: bool = typer.Option(False, help="Go on with an interrupted run."),
) -> None:
    """Pretrain SELYNE on labelled images; writes best/, final/, result.json and four figures into OUTPUT."""
    from attractor.data.classes import load_classes
    from attractor.report import write_training_figures
    from attractor.training.loop import seed_everything, train
    from attractor.training.pretrain import Pretraining

    logging.getLogger("attractor.training").setLevel(logging.INFO)  # a line an epoch: runs take hours
    settings = read_recipe(recipe)
    if (output / "checkpoint.pt").exists() and not resume:
        raise InputError(f"{output} holds a run already; add --resume to go on with it, or choose another folder")
    require_writable(output)
    root = str(data or settings.data)
    size, channels = settings.config(1).image_size, settings.config(1).channels
    train_set = load_classes(root, settings.train_split, size, channels)
    val_set = load_classes(root, settings.val_split, size, channels, classes=train_set.classes)
    for error in [*train_set.unreadable, *val_set.unreadable]:
        stderr.print(f"left out: {error}")
    counts = f"{len(train_set.labels)} training and {len(val_set.labels)} validation images"
    stderr.print(f"{counts} of {len(train_set.classes)} classes")
    seed_everything(settings.seed)
    objective = Pretraining(settings, train_set, val_set)
    history = train(objective, settings.schedule(), output, resume)
    result = training_result(settings, history, len(train_set.labels), len(val_set.labels))
    write_json(output / "result.json", result)
    write_training_figures(history, output)
    print(f"{output / 'best'}: validation accuracy {result['val_accuracy']:.4f} after epoch {result['best_epoch']}")


def read_recipe(path: Path) -> PretrainRecipe:
    """A recipe file, validated; anything wrong is one line."""
    import yaml

    from attractor.training.pretrain import PretrainRecipe

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}; give a YAML recipe") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    return PretrainRecipe.parse(values, str(path))


def training_result(
    settings: PretrainRecipe, history: list[dict[str, float]], train_images: int, val_images: int
) -> dict[str, Any]:
    """The figures of a run, with what it took to get them."""
    from attractor.provenance import provenance

    best = max(history, key=lambda row: row["val_accuracy"])
    return {
        "name": settings.name,
        "val_accuracy": best["val_accuracy"],
        "val_reconstruction": best["val_reconstruction"],
        "best_epoch": best["epoch"],
        "train_images": train_images,
        "val_images": val_images,
        "seed": settings.seed,
        "hours": sum(row["seconds"] for row in history) / 3600,
        "recipe": settings.model_dump(),
        "history": history,
        **provenance(),
    }
