"""Tables of odd images for docs/benchmarks.md, from what ``attractor reproduce`` left under results/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cells import spread, table

from attractor.files import read_json
from attractor.reproduce.detection import BASELINE

SETS = ("brain-mri", "cifar10-stl", "magnetic-tile")
STAGES = ("selyne-tiny", "selyne-tiny-longer", "selyne-tiny-views")  # recipes, one starting from the other
PIXELS = ("pixel_auroc", "aupro")


def tables(results: Path) -> list[str]:
    """All of them."""
    return [
        encoder(results),
        *(one_set(read_json(results / f"{name}.json")) for name in SETS),
        parts(results),
        copies(results),
        exposures(results),
    ]


def encoder(results: Path) -> str:
    """What all of them start from."""
    stages = {name: read_json(results / f"pretrain-{name}.json") for name in STAGES}
    last = stages[STAGES[-1]]
    names = ", ".join(f"`{name}`" for name in stages)
    return (
        f"Encoder: `selyne-tiny`, pretrained on {last['train_images']:,} images of Tiny ImageNet for "
        f"{sum(stage['hours'] for stage in stages.values()):.1f} hours on one or two CPU cores, in {len(stages)} runs "
        f"(recipes {names}; accuracy on its validation images {100 * last['val_accuracy']:.1f} %). AUROC, mean ± "
        "standard deviation over the seeds, of every score: also where the published one (`mahalanobis` after "
        "one-class tuning) loses. Made by `attractor reproduce`."
    )


def one_set(result: dict[str, Any]) -> str:
    """One set: a row a score, the deciding one first and the baseline last, a column a variant."""
    summary = {variant: result["summary"][variant] for variant in result["variants"]}
    columns = [f"{variant} ({_seeds(figures[result['main']])})" for variant, figures in summary.items()]
    measured = dict.fromkeys(name for figures in summary.values() for name in figures)
    scores = sorted(measured, key=lambda name: (name == BASELINE, name in PIXELS, name != result["main"]))
    rows = [(_words(name), *(_cell(figures.get(name)) for figures in summary.values())) for name in scores]
    caption = f"**{result['title']}.** Caution: {result['caution']} (`{result['command']}`)."
    return "\n".join([caption, "", *table(("score", *columns), rows)])


def parts(results: Path) -> str:
    """What helped detection without tuning, and what did not."""
    found = read_json(results / "detection-parts.json")
    sets = found["sets"]
    seeds = max(len(values["seeds"]) for values in sets.values())
    caption = (
        f"**What helps detection without tuning.** AUROC, mean ± standard deviation of {seeds} draws of the images "
        "fitted on (`benchmarks/detection_parts.py`). What was kept was chosen by other images, though "
        "test figures were seen between the rounds (`benchmarks/LOG.md`, where what failed is too)."
    )
    rows = [
        (words, *(spread(values["summary"][name], len(values["seeds"]) > 1) for values in sets.values()))
        for name, words in found["words"].items()
    ]
    return "\n".join([caption, "", *table(("score", *sets), rows)])


def copies(results: Path) -> str:
    """How much of a set a detector can solve by recognising copies."""
    found = read_json(results / "near-copies.json")
    caption = (
        f"**Near copies among brain slices.** Share of the images of which a normal training image is a near copy, of "
        f"correlation above {found['near']} (`benchmarks/near_copies.py`): to know a copy is most of this task."
    )
    rows = [
        (name, f"{row['images']:,}", *(f"{100 * row[kind]:.0f} %" for kind in ("as_is", "mirrored")))
        for name, row in found["rows"].items()
    ]
    return "\n".join([caption, "", *table(("images", "how many", "as they are", "or mirrored"), rows)])


def exposures(results: Path) -> str:
    """How many magnetic tiles to test were seen in another exposure."""
    rows = read_json(results / "exposures.json")["rows"]
    caption = (
        "**Magnetic tiles seen before.** Of the images to test how many are of a tile of which another exposure is "
        "among those to train on (`benchmarks/exposures.py`): a detector that knows a tile again has found it normal."
    )
    cells = [(name, f"{row['images']:,}", f"{row['seen']:,}") for name, row in sorted(rows.items(), key=_good_first)]
    return "\n".join([caption, "", *table(("images", "how many", "of a tile seen before"), cells)])


def _good_first(row: tuple[str, dict[str, int]]) -> tuple[bool, str]:
    return row[0] != "good", row[0]


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
    # what no seed changes, such as the baseline, has no spread
    return spread(value, bool(len(value["seeds"]) > 1 and value["std"]))
