"""Write the results tables of README.md from results/*.json: ``python benchmarks/tables.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attractor.files import read_json, write_text

ROOT = Path(__file__).parents[1]
START, END = "<!-- results -->", "<!-- end of results -->"
METHODS = ("combined", "knn", "mahalanobis", "levels", "patches", "damage", "reconstruction", "free_energy")
TITLES = {
    "brain-mri": "Brain MRI slices, normal = no tumour",
    "cifar10-stl": "CIFAR-10 under the STL-10 protocol, each class in turn normal, mean of the 10",
    "magnetic-tile": "Magnetic-tile surface defects, in overlapping tiles",
}
TUNINGS = {"none": "no tuning", "one-class": "one-class tuning, as published", "damage": "damage tuning"}


def block(results: Path) -> str:
    """The text between the markers."""
    pretraining = read_json(results / "pretrain-selyne-tiny.json")
    parts = [
        "## Results",
        f"Encoder: `selyne-tiny`, pretrained for {pretraining['hours']:.1f} hours on one CPU core on "
        f"{pretraining['train_images']:,} images of Tiny ImageNet (accuracy on its validation images "
        f"{100 * pretraining['val_accuracy']:.1f} %; `recipes/selyne-tiny.yaml`). AUROC, mean ± standard deviation "
        "over the seeds, of every score: also where the published one (`mahalanobis` after one-class tuning) loses. "
        "Made by `benchmarks/detection.py`; the files are in `results/`.",
    ]
    parts += [table(read_json(results / f"detect-{name}.json")) for name in TITLES]
    return "\n\n".join(parts)


def table(result: dict[str, Any]) -> str:
    """One data set: a row a score, a column a tuning."""
    tunings = [t for t in TUNINGS if t in result["summary"]]
    seeds = {t: len(result["summary"][t]["seeds"]) for t in tunings}
    columns = [f"{TUNINGS[t]} ({seeds[t]} seed{'s' * (seeds[t] > 1)})" for t in tunings]
    lines = [f"**{TITLES[result['name']]}.** Caution: {result['caution']}.", ""]
    lines += ["| score | " + " | ".join(columns) + " |", "|---|" + "---|" * len(tunings)]
    for method in METHODS:
        cells = [cell(result["summary"][t].get(method), seeds[t]) for t in tunings]
        if any(cells):
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    for pixel in ("pixel_auroc", "aupro"):
        cells = [cell(result["summary"][t].get(pixel), seeds[t]) for t in tunings]
        if any(cells):
            lines.append(f"| {pixel}, heat of {result['runs'][0]['decided_by']} | " + " | ".join(cells) + " |")
    baseline = [f"{result['baseline_pixel_knn_mean']:.3f}"] * len(tunings)
    lines.append("| baseline: 5 nearest neighbours on 32 x 32 grey pixels | " + " | ".join(baseline) + " |")
    return "\n".join(lines)


def cell(value: dict[str, float] | None, seeds: int) -> str:
    """``mean ± deviation``, or nothing."""
    if value is None:
        return ""
    return f"{value['mean']:.3f}" + (f" ± {value['std']:.3f}" if seeds > 1 else "")


def updated(readme: str, results: Path) -> str:
    """README with the block between its markers made anew."""
    before, rest = readme.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{block(results)}\n{END}{after}"


if __name__ == "__main__":
    page = ROOT / "README.md"
    write_text(page, updated(page.read_text(encoding="utf-8"), ROOT / "results"))
