"""``attractor inpaint``: fill in images, watch a descent, measure; training is in ``inpaint_fit``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attractor.cli.inpaint_fit import fit
from attractor.cli.output import print_json, report_unreadable, unreadable_json
from attractor.console import stderr
from attractor.errors import InputError
from attractor.files import csv_text, replacing, require_writable

if TYPE_CHECKING:
    from torch import Tensor

    from attractor.tasks.inpainting.sketches import Painting

app = typer.Typer(no_args_is_help=True, help="Fill in what is hidden of an image, by descent on an energy.")

MODEL = typer.Option("et-tiny", help="A shipped name, or a folder that `attractor inpaint fit` wrote.")
MASK = typer.Option(None, help="Picture of the image's size: what is not black in it is painted.")
RANDOM = typer.Option(None, help="Hide this share of the patches, drawn from the seed.")
BLOCK = typer.Option(False, help="Hide the central half of both sides.")
SEED = typer.Option(0, min=0, max=2**32 - 1, help="Seed of the patches drawn.")
RULE = typer.Option("fixed", help="How steps are taken: fixed, guaranteed, ode or equilibrium.")
STEPS = typer.Option(None, min=1, help="Steps of the descent, if not the model's own number.")
STEP_SIZE = typer.Option(None, help="Size of a step, if not the model's own.")
SIZE = typer.Option("model", help="At what size an image is looked at: model, resized to the model's, or own.")


app.command()(fit)


@app.command()
def run(
    images: list[Path] = typer.Argument(help="Images or folders of images.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="A picture for one image, else a folder."),
    mask: Path | None = MASK,
    random: float | None = RANDOM,
    block: bool = BLOCK,
    seed: int = SEED,
    model: str = MODEL,
    rule: str = RULE,
    steps: int | None = STEPS,
    step_size: float | None = STEP_SIZE,
    size: str = SIZE,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Fill in images: one row a file, with the share hidden and how near the original the filling is (PSNR, dB)."""
    from attractor.data.images import UnreadableImage
    from attractor.data.sources import as_source
    from attractor.tasks.inpainting.inpainter import Inpainter

    source = as_source([str(path) for path in images])
    hidden = _hidden(mask, random, block, len(source))
    targets = _targets(output, source.names)
    _spare(targets, source.names)
    unreadable: list[UnreadableImage] = []
    inpainter = Inpainter(model, rule=rule, steps=steps, step_size=step_size, size=size)
    paintings = inpainter.paint(source, hidden, seed=seed, unreadable=unreadable, **_share(random))
    rows, unsettled = [], 0
    for painting in paintings:
        _write_picture(painting.filled, targets[painting.index])
        rows.append(_row(painting, targets[painting.index]))
        unsettled += painting.unsettled
    if not rows:
        raise InputError(f"nothing was painted: {unreadable[0]}")
    report_unreadable(unreadable)
    _warn_unsettled(unsettled)
    if as_json:
        print_json({"images": rows, "unreadable": unreadable_json(unreadable)})
    else:
        cells = [(row["path"], row["output"], f"{row['hidden']:.3f}", f"{row['psnr']:.2f}") for row in rows]
        print(csv_text(("path", "output", "hidden", "psnr"), cells), end="")


@app.command()
def trace(
    image: Path = typer.Argument(help="An image.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="Folder for the page, the animation and the figures."),
    mask: Path | None = MASK,
    random: float | None = RANDOM,
    block: bool = BLOCK,
    seed: int = SEED,
    model: str = MODEL,
    rule: str = RULE,
    steps: int | None = STEPS,
    step_size: float | None = STEP_SIZE,
    size: str = SIZE,
) -> None:
    """Watch one descent: every step as a picture, its energy, attention and memories, an animation and a page."""
    from attractor.report.descent import write_descent
    from attractor.tasks.inpainting.inpainter import Inpainter

    hidden = _hidden(mask, random, block, 1)
    require_writable(output)
    inpainter = Inpainter(model, rule=rule, steps=steps, step_size=step_size, size=size)
    walk = inpainter.trace([str(image)], hidden, seed=seed, **_share(random))
    _warn_unsettled(int(walk.unsettled.sum()))
    hiding = {"mask": str(mask)} if mask else {"block": True} if block else {"random": random, "seed": seed}
    about = {"image": str(image), "weights": model, "hidden by": hiding}
    for path in write_descent(walk, output, title=f"Watching a descent: {image.name}", about=about):
        print(path)


@app.command()
def evaluate(
    data: Path = typer.Argument(help="Folder of images, or with --split an archive.", show_default=False),
    model: str = MODEL,
    split: str | None = typer.Option(None, help="The split of DATA to look at, for example val."),
    images: int | None = typer.Option(None, min=2, help="Look at the first so many images only."),
    baseline_images: int = typer.Option(1000, min=2, help="Compare on the first so many of them."),
    seed: int = SEED,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Measure on hidden patches, beside each image's mean colour and biharmonic in-painting under the same masks."""
    from attractor.data.unlabelled import load_unlabelled
    from attractor.tasks.inpainting.evaluation import evaluate_inpainting
    from attractor.tasks.inpainting.inpainter import Inpainter

    inpainter = Inpainter(model)
    config = inpainter.ready().config
    pixels, unreadable = load_unlabelled(data, split, config.image_size, config.channels, images)
    result = evaluate_inpainting(inpainter, pixels, baseline_images=baseline_images, seed=seed)
    if as_json:
        print_json({"model": model, **result})
    else:
        _print_evaluation(result)
    report_unreadable(unreadable)


def _hidden(mask: Path | None, random: float | None, block: bool, images: int) -> Any:
    """What :class:`Inpainter` takes as a mask; exactly one of the three says it."""
    from attractor.data.layouts import mask_pixels

    if (mask is not None) + (random is not None) + block != 1:
        raise InputError("say what is hidden, one way: --mask PICTURE, --random SHARE or --block")
    if mask and images != 1:
        raise InputError(f"{mask}: one mask for {images} images; give it with one image at a time")
    return mask_pixels(mask) if mask else "block" if block else None


def _warn_unsettled(images: int) -> None:
    """Say on stderr that the equilibrium rule ran out of steps, if it did."""
    if images:
        which = "the descent" if images == 1 else f"the descents of {images} images"
        stderr.print(f"warning: {which} reached no fixed point within the steps given; raise --steps")


def _targets(output: Path, names: list[str]) -> list[Path]:
    """Where each filled image goes: OUTPUT itself where it names a picture for one, else into that folder."""
    from attractor.data.images import is_image_name

    as_folder = len(names) > 1 or output.is_dir() or not output.suffix
    if not as_folder and not is_image_name(output):
        raise InputError(f"{output}: {output.suffix} is no picture's extension; name it .png")
    require_writable(output if as_folder else output.parent)
    stems = [Path(name).stem[:60] for name in names]
    numbered = [f"{i:05d}_{stem}" for i, stem in enumerate(stems)] if len(names) > 1 else stems
    return [output / f"{name}.png" for name in numbered] if as_folder else [output]


def _spare(targets: list[Path], images: list[str]) -> None:
    """Raise where a picture would be written over one of the images that are read."""
    given = {os.path.realpath(image) for image in images}
    for target in targets:
        if os.path.realpath(target) in given:
            raise InputError(f"{target} is one of the images to be painted; choose another output")


def _share(random: float | None) -> dict[str, float]:
    return {} if random is None else {"share": random}


def _row(painting: Painting, target: Path) -> dict[str, Any]:
    from attractor.scoring.inpainting import psnr

    hidden = float(painting.mask.float().mean())
    return {"path": painting.name, "output": str(target), "hidden": hidden, "psnr": float(psnr(painting.mse))}


def _write_picture(picture: Tensor, path: Path) -> None:
    """``(C, H, W)`` in 0..1 as an image file, in the format that the name says."""
    from PIL import Image

    pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    with replacing(path) as temporary:
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(temporary)


def _print_evaluation(result: dict[str, Any]) -> None:
    """The table a person reads."""
    print(f"{result['images']} images, {result['compared']} of them compared; mean ± standard error over the images")
    print(f"{'hidden':<15}{'method':<16}{'images':>7}{'PSNR (dB)':>16}{'MSE':>20}{'gain of ours (dB)':>20}")
    for name, found in result["masks"].items():
        everything = [(f"{method}, all", m) for method, m in found["all"].items()]
        rows = [*everything, *found["compared"].items()]
        for method, m in rows:
            gain = f"{_spread(m['gain'], 2):>20}" if "gain" in m else ""
            hidden = f"{name} {100 * found['hidden']:.0f} %"
            print(
                f"{hidden:<15}{method:<16}{m['images']:>7}{_spread(m['psnr'], 2):>16}{_spread(m['mse'], 5):>20}{gain}"
            )


def _spread(value: dict[str, float], digits: int) -> str:
    return f"{value['mean']:.{digits}f} ± {value['standard_error']:.{digits}f}"
