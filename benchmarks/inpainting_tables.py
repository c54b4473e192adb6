"""The table of in-painting for docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path

from cells import table

from attractor.files import read_json

COLUMNS = ("hidden", "method", "images", "PSNR, dB", "mean squared error", "ours ahead by, dB")


def tables(results: Path) -> list[str]:
    """The one there is."""
    return [painting(results)]


def painting(results: Path) -> str:
    """In-painting: what was hidden, ours on all images, and all methods on the same first ones."""
    found = read_json(results / "inpaint-tiny-imagenet.json")
    stages = [read_json(results / f"train-{name}.json") for name in ("et-tiny-coarse", "et-tiny")]
    hours = sum(stage["hours"] for stage in stages)
    lines = [
        f"**In-painting Tiny ImageNet's validation images.** `et-tiny` ({found['parameters']:,} parameters), "
        f"trained for {hours:.1f} hours on one CPU core on {stages[1]['train_images']:,} images "
        "(recipe `et-tiny-coarse`, then recipe `et-tiny`). Mean over the images ± its standard error; the "
        "last column is how far ours is ahead, image by image. Made by `benchmarks/inpainting.py`.",
        "",
    ]
    rows = []
    for name, mask in found["masks"].items():
        hidden = f"{100 * mask['hidden']:.0f} %, " + {"random": "random patches", "block": "one central block"}[name]
        for group in ("all", "compared"):
            for method, m in mask[group].items():
                gain = mean_error(m["gain"], 2) if "gain" in m else ""
                rows.append(
                    (hidden, method, f"{m['images']:,}", mean_error(m["psnr"], 2), mean_error(m["mse"], 4), gain)
                )
    return "\n".join([*lines, *table(COLUMNS, rows)])


def mean_error(value: dict[str, float], digits: int) -> str:
    """``mean ± standard error``."""
    return f"{value['mean']:.{digits}f} ± {value['standard_error']:.{digits}f}"
