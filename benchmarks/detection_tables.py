"""Tables of anomaly detection in images for README.md, from what ``attractor reproduce`` left under results/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attractor.files import read_json
from attractor.reproduce.detection import BASELINE

SETS = ("brain-mri", "cifar10-stl", "magnetic-tile")
PIXELS = ("pixel_auroc", "aupro")


def tables(results: Path) -> list[str]:
    """All of them."""
    return [table(read_json(results / f"{name}.json")) for name in SETS]


def table(result: dict[str, Any]) -> str:
    """One set: a row a score, the deciding one first and the baseline last, a column a variant."""
    summary = {variant: result["summary"][variant] for variant in result["variants"]}
    columns = [f"{variant} ({_seeds(figures[result['main']])})" for variant, figures in summary.items()]
    measured = dict.fromkeys(name for figures in summary.values() for name in figures)
    scores = sorted(measured, key=lambda name: (name == BASELINE, name in PIXELS, name != result["main"]))
    lines = [f"**{result['title']}.** Caution: {result['caution']} (`{result['command']}`).", ""]
    lines += ["| score | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name in scores:
        cells = [_cell(figures.get(name)) for figures in summary.values()]
        lines.append(f"| {_words(name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _seeds(value: dict[str, Any]) -> str:
    count = len(value["seeds"])
    return f"{count} seed{'s' * (count > 1)}"


def _words(name: str) -> str:
    if name == BASELINE:
        return "baseline: 5 nearest neighbours on 32 x 32 grey pixels"
    return f"{name}, of the heat map" if name in PIXELS else name


def _cell(value: dict[str, Any] | None) -> str:
    """``mean ± deviation`` over seeds; of one seed the mean, for the spread of its classes is no error of theirs."""
    if value is None:
        return ""
    several = len(value["seeds"]) > 1 and value["std"]  # what no seed changes, such as the baseline, has no spread
    return f"{value['mean']:.3f}" + (f" ± {value['std']:.3f}" if several else "")
