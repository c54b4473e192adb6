"""``attractor pretrain``: train an encoder from a recipe."""

from __future__ import annotations

from pathlib import Path

import typer

from attractor.cli.output import report_unreadable
from attractor.cli.recipes import read_recipe, run_result, start_run
from attractor.console import stderr
from attractor.files import write_json


def pretrain(
    recipe: Path = typer.Argument(
        help="YAML recipe, or the name of one that ships: selyne-tiny, selyne-base.", show_default=False
    ),
    output: Path = typer.Option(..., "--output", "-o", help="Folder of the run.", show_default=False),
    data: Path | None = typer.Option(None, help="Folder or archive of the images, instead of the recipe's."),
    resume: bool = typer.Option(False, help="Go on with an interrupted run."),
) -> None:
    """Pretrain SELYNE on labelled images; writes best/, final/, result.json and four figures into OUTPUT."""
    from attractor.data.classes import load_classes
    from attractor.report import write_training_figures
    from attractor.training.background import write_background
    from attractor.training.loop import seed_everything, train
    from attractor.training.pretrain import Pretraining, PretrainRecipe

    settings = read_recipe(recipe, PretrainRecipe)
    start_run(output, resume)
    root = str(data or settings.data)
    size, channels = settings.config(1).image_size, settings.config(1).channels
    train_set = load_classes(root, settings.train_split, size, channels)
    val_set = load_classes(root, settings.val_split, size, channels, classes=train_set.classes)
    report_unreadable([(error.path, error.reason) for error in [*train_set.unreadable, *val_set.unreadable]])
    images = {"train_images": len(train_set.labels), "val_images": len(val_set.labels)}
    counts = "{train_images} training and {val_images} validation images".format(**images)
    stderr.print(f"{counts} of {len(train_set.classes)} classes")
    seed_everything(settings.seed)
    objective = Pretraining(settings, train_set, val_set)
    history = train(objective, settings.schedule(), output, resume)
    write_background(output / "best", train_set.images)
    best = max(history, key=lambda row: row["val_accuracy"])
    figures = {"val_accuracy": best["val_accuracy"], "val_reconstruction": best["val_reconstruction"]}
    result = run_result(settings, history, images, {**figures, "best_epoch": best["epoch"]})
    write_json(output / "result.json", result)
    write_training_figures(history, output)
    print(f"{output / 'best'}: validation accuracy {best['val_accuracy']:.4f} after epoch {best['epoch']}")
