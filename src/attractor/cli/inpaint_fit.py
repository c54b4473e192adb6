"""``attractor inpaint fit``: train on a folder from pretrained weights, or by a recipe from what it starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attractor.cli.output import report_unreadable
from attractor.cli.recipes import start_run
from attractor.console import stderr
from attractor.errors import InputError

if TYPE_CHECKING:
    from attractor.tasks.inpainting.inpainter import Inpainter
    from attractor.training.inpainting import InpaintRecipe


def fit(
    data: Path = typer.Argument(help="Folder of images; with a recipe also an archive.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="Folder to write the in-painter to.", show_default=False),
    model: str | None = typer.Option(None, help="Where to start: a shipped name (et-tiny, the default) or a folder."),
    epochs: int | None = typer.Option(None, min=1, help="Times every image is looked at (10)."),
    seed: int | None = typer.Option(None, min=0, max=2**32 - 1, help="Seed of the order and the masks (0)."),
    recipe: Path | None = typer.Option(None, help="YAML recipe; trains as it says, on DATA's splits if it has them."),
    resume: bool = typer.Option(False, help="Go on with an interrupted run."),
) -> None:
    """Train on whole images; writes the in-painter, result.json and the training curves into OUTPUT."""
    from attractor.report import write_inpainting_figure
    from attractor.tasks.inpainting.inpainter import Inpainter
    from attractor.training.inpainting import InpaintRecipe
    from attractor.training.recipe import read_recipe
    from attractor.training.runs import write_painter

    named = {"model": model, "epochs": epochs, "seed": seed}
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if recipe and given:
        raise InputError(f"--{next(iter(given))} is the recipe's to say; change it there, or leave --recipe out")
    settings = read_recipe(recipe, InpaintRecipe) if recipe else None
    if settings:
        settings.require_start()
    start_run(output, resume)
    if settings:
        inpainter = _fit_recipe(settings, data, output, resume)
    else:
        inpainter = Inpainter(**given).fit(data, checkpoint=output, resume=resume)
    report_unreadable(inpainter.unreadable_)
    write_painter(inpainter, output, write_inpainting_figure)
    last = inpainter.history_[-1]
    figures = {name.removeprefix("val_psnr_"): value for name, value in last.items() if name.startswith("val_psnr_")}
    found = [f"validation PSNR, {name}: {value:.2f} dB" for name, value in figures.items()]
    print(f"{output}: " + ", ".join([f"training loss {last['train_mse']:.4f}", *found]))


def _fit_recipe(settings: InpaintRecipe, data: Path, output: Path, resume: bool) -> Inpainter:
    """Train from random weights or the recipe's; a folder without the recipe's splits is trained on whole."""
    from attractor.data.unlabelled import load_unlabelled
    from attractor.tasks.inpainting.inpainter import Inpainter
    from attractor.training.runs import train_painter

    size, channels = settings.config().image_size, settings.config().channels
    whole = data.is_dir() and not (data / settings.train_split).is_dir()
    images, unreadable = load_unlabelled(data, None if whole else settings.train_split, size, channels)
    val_images = None
    if not whole:
        val_images, more = load_unlabelled(data, settings.val_split, size, channels)
        unreadable += more
    stderr.print(f"{len(images)} training and {0 if val_images is None else len(val_images)} validation images")
    inpainter = train_painter(Inpainter, settings, images, val_images, output, resume)
    inpainter.unreadable_ = unreadable
    return inpainter
