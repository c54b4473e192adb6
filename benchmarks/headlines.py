"""The one table of README.md: of every task ours, and the best of what it was compared with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cells import spread, table
from detection_tables import SETS
from graph_tables import METHODS, in_full, means, read
from node_tables import RIVALS

from attractor.bench.cases import CASES
from attractor.bench.plot import best_published
from attractor.files import read_json
from attractor.reproduce.detection import BASELINE
from attractor.reproduce.row import find_row

COLUMNS = ("task", "measure", "Attractor", "beside it")
NODES = {"amazon-upu": "Odd reviewers (Amazon, one relation)", "tolokers": "Banned workers (Tolokers)"}
COMPARED = {
    "mahalanobis": "Mahalanobis distance by the same encoder",
    "knn": "nearest neighbours by the same encoder",
    BASELINE: "nearest neighbours by pixels",
}
SPREAD = (
    "± is the standard deviation over seeds or splits, of in-painting the standard error over images. Beside ours "
    "stands the best of a few plain methods on the same data, also where it is ahead. Of the sets of images, know that:"
)
Row = tuple[str, str, str, str]


def tables(results: Path) -> list[str]:
    """The table, and what it says of speed."""
    rows = [*detection(results), *inpainting(results), *nodes(results), graphs(results)]
    return ["\n".join(table(COLUMNS, rows)), SPREAD, cautions(results), speed(results)]


def detection(results: Path) -> Iterator[Row]:
    """A row a set of images."""
    for result in (read_json(results / f"{name}.json") for name in SETS):
        figures = result["summary"][next(iter(find_row(result["name"]).variants))]  # the one that the row puts first
        rival = max(COMPARED, key=lambda name: figures[name]["mean"])
        best = f"{figures[rival]['mean']:.3f}, {COMPARED[rival]}"
        yield result["title"], f"AUROC, `{result['main']}`", spread(figures[result["main"]]), best


def cautions(results: Path) -> str:
    """What must be known of the sets of images."""
    found = (read_json(results / f"{name}.json") for name in SETS)
    return "\n".join(f"- {result['title']}: {result['caution']}." for result in found)


def inpainting(results: Path) -> Iterator[Row]:
    """A row a kind of mask, on the images that all methods painted."""
    masks = read_json(results / "inpaint-tiny-imagenet.json")["masks"]
    for name, words in {"random": "half of the patches hidden", "block": "a central block hidden"}.items():
        psnr = {method: row["psnr"] for method, row in masks[name]["compared"].items()}
        ours = psnr.pop("attractor")
        rival = max(psnr, key=lambda method: psnr[method]["mean"])
        cells = f"{ours['mean']:.2f} ± {ours['standard_error']:.2f}", f"{psnr[rival]['mean']:.2f}, {rival} filling"
        images = masks[name]["compared"]["attractor"]["images"]
        yield f"In-painting Tiny ImageNet, {words}", f"PSNR, dB, {images:,} images", *cells


def nodes(results: Path) -> Iterator[Row]:
    """A row a graph and share of labels."""
    for name, words in NODES.items():
        for fraction, methods in read_json(results / f"nodes-{name}.json")["summary"].items():
            auc = {method: methods[method]["auc"] for method in RIVALS}
            best = _best({method: value["mean"] for method, value in auc.items()}, RIVALS)
            yield f"{words}, {100 * float(fraction):.0f} % of the labels", "AUC", spread(auc["attractor"]), best


def graphs(results: Path) -> Row:
    """The mean over the sets that were done in full."""
    whole = in_full(read(results))
    found = means(whole)
    best = _best(found, METHODS)
    return f"Classes of whole graphs, mean of {', '.join(whole)}", "accuracy", f"{found['attractor']:.3f}", best


def speed(results: Path) -> str:
    """The ranges of the ratios to the fastest published code, over all cases and passes, a processor a line."""
    lead = (
        "Times as fast as the fastest published code, in turns on the same two cores; medians of every case, forward "
    )
    lines = [
        f"- {words}: {', '.join(_range(results / folder, side) for side in sides)}"
        for folder, words, sides in (
            (".", "with AVX-512 and bfloat16 products", ("float32", "bfloat16")),
            ("avx2", "with AVX2 alone", ("float32",)),
        )
    ]
    return "\n".join([f"{lead} and in training (published codes run in float32):", "", *lines])


def _range(folder: Path, side: str) -> str:
    passes = [work for name in CASES for work in read_json(folder / f"bench-{name}.json")["passes"].values()]
    ratios = sorted(_times_faster(work["sides"], side) for work in passes)
    return f"{ratios[0]:.1f} to {ratios[-1]:.1f} in {side}"


def _times_faster(sides: dict[str, Any], side: str) -> float:
    return float(sides[side]["times_faster"][best_published(sides)]["median"])


def _best(figures: dict[str, float], words: dict[str, str]) -> str:
    """The best of all but ours."""
    rival = max((method for method in figures if method != "attractor"), key=lambda method: figures[method])
    return f"{figures[rival]:.3f}, {words[rival]}"
