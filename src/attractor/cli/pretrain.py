"""``attractor pretrain``: train an encoder from a recipe."""

from __future__ import annotations

from pathlib import Path

import typer

from attractor.cli.output import report_unreadable
from attractor.cli.recipes import start_run
from attractor.console import stderr

RECIPES = Path(__file__).parents[1] / "recipes" / "training"
SHIPPED = ", ".join(sorted(path.stem for path in RECIPES.glob("selyne-*.yaml")))


def pretrain(
    recipe: Path = typer.Argument(help=f"YAML recipe, or the name of one that ships: {SHIPPED}.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="Folder of the run.", show_default=False),
    data: Path | None = typer.Option(None, help="Folder or archive of the images, instead of the recipe's."),
    resume: bool = typer.Option(False, help="Go on with an interrupted run."),
) -> None:
    """Pretrain SELYNE on labelled images; writes best/, final/, result.json and four figures into OUTPUT."""
    from attractor.data.labelled import load_labelled
    from attractor.report import write_training_figures
    from attractor.training.pretrain import PretrainRecipe
    from attractor.training.recipe import read_recipe
    from attractor.training.runs import run_pretraining

    settings = read_recipe(recipe, PretrainRecipe)
    settings.require_start()
    start_run(output, resume)
    root = str(data or settings.data)
    size, channels = settings.config(1).image_size, settings.config(1).channels
    train_set = load_labelled(root, settings.train_split, size, channels)
    val_set = load_labelled(root, settings.val_split, size, channels, classes=train_set.classes)
    report_unreadable([*train_set.unreadable, *val_set.unreadable])
    counts = f"{len(train_set.labels)} training and {len(val_set.labels)} validation images"
    stderr.print(f"{counts} of {len(train_set.classes)} classes")
    result = run_pretraining(settings, train_set, val_set, output, write_training_figures, resume)
    best = output / "best"
    print(f"{best}: validation accuracy {result['val_accuracy']:.4f} after epoch {result['best_epoch']}")
