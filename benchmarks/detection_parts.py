"""What helps detection without tuning: the score ``combined``, part by part, as results/detection-parts.json.

    python benchmarks/detection_parts.py --data DIR [--sets brain-mri cifar10-stl] [--seeds 0 1 2]

A seed draws the images that the scores are fitted on. What ``combined`` is made of was chosen by held-out normal images
against damaged ones and by classes of Tiny ImageNet (see LOG.md), not by these figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from attractor.data.batches import view_batches
from attractor.data.sets.one_class import OneClass, one_class_splits
from attractor.data.sources import ImageSource
from attractor.data.views import Viewing
from attractor.files import read_json, write_json
from attractor.models.features import Features
from attractor.models.store import model_folder, pretrained
from attractor.provenance import provenance
from attractor.scoring.background import SIGHTS, load_background
from attractor.scoring.methods import geometric_mean
from attractor.tasks.detection.scorer import ImageScorer

ROOT = Path(__file__).parents[1]
DISTANCES = ("mahalanobis", "knn", "levels")
WORDS = {
    "distances": "three distances from the normal images: Gaussian, neighbours, levels",
    "sharp": "each in proportion to that from sharp images of anything",
    "nearer": "... or from coarse ones, where those are nearer",
    "combined": "and with patches compared at their places (`combined`)",
    "places": "patches at their places alone",
    "combined, mirrored": "`combined`, fitted on mirrored images too",
    "places, mirrored": "`places`, fitted on mirrored images too",
}
KEPT = 0.8  # share of the normal images that a seed takes


def read(source: ImageSource, scorer: ImageScorer, mirrored: bool = False) -> list[Features]:
    """Features of all images, batch by batch, without pictures."""
    views = (views.flip(-1) if mirrored else views for _, views in view_batches(source, scorer.viewing, []))
    batches = (scorer.features(batch) for batch in views)
    return [f._replace(images=f.images[:0], reconstruction=f.reconstruction[:0]) for f in batches]


def chosen(batches: list[Features], rows: np.ndarray) -> Features:
    """Some rows of all batches."""
    fields = (torch.cat(parts)[rows] if len(parts[0]) else parts[0] for parts in zip(*batches, strict=True))
    return Features(*fields)


def scores(scorer: ImageScorer, features: Features) -> dict[str, Tensor]:
    """Every variation of one batch, ``(V,)``."""
    own = {name: scorer.methods[name](features) for name in DISTANCES}
    sight = {name: {m: scorer.background.sights[name][m](features) for m in DISTANCES} for name in SIGHTS}  # type: ignore[union-attr, index]
    nearer = {m: torch.minimum(*(sight[name][m] for name in SIGHTS)) for m in DISTANCES}
    places = scorer.methods["places"](features).amax(dim=1)
    relative = [own[m] / nearer[m] for m in DISTANCES]
    return {
        "distances": geometric_mean(list(own.values())),
        "sharp": geometric_mean([own[m] / sight["sharp"][m] for m in DISTANCES]),
        "nearer": geometric_mean(relative),
        "combined": geometric_mean([*relative, places]),
        "places": places,
    }


def measure(split: OneClass, model: str, seeds: list[int], tests: dict[int, list[Features]]) -> dict[int, Any]:
    """AUROC of every variation for every seed; ``tests`` are of one set, whose classes in turn have the same ones."""
    encoder = pretrained(model)
    viewing = Viewing(encoder.config.image_size, False, 256)
    background = load_background(model_folder(model), encoder.config)
    reader = ImageScorer(encoder, viewing)
    train, mirrored = (read(split.train, reader, flipped) for flipped in (False, True))
    if (key := len(split.test.labels)) not in tests:
        tests[key] = read(split.test.source, reader)
    found: dict[int, Any] = {}
    for seed in seeds:
        scorer = ImageScorer(encoder, viewing, background=background)
        rows = np.random.default_rng(seed).permutation(len(split.train))[: round(KEPT * len(split.train))]
        found[seed] = {}
        for suffix, fitted in {"": [train], ", mirrored": [train, mirrored]}.items():
            for method in (scorer.methods[name] for name in (*DISTANCES, "places")):
                for images in fitted:
                    method.update(chosen(images, rows))
                method.finish()
            each = [scores(scorer, batch) for batch in tests[key]]
            for name in each[0]:
                scored = torch.cat([batch[name] for batch in each])
                found[seed][name + suffix] = roc_auc_score(split.test.labels, scored)
    return found


def summary(runs: dict[str, dict[int, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Mean over the classes, then mean and deviation over the seeds."""
    seeds = next(iter(runs.values()))
    table = {}
    for name in WORDS:
        values = [np.mean([run[seed][name] for run in runs.values()]) for seed in seeds]
        table[name] = {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1)) if len(seeds) > 1 else 0.0}
    return table


@torch.inference_mode()
def main() -> None:
    """Parse, measure set by set, write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["brain-mri", "cifar10-stl"])
    parser.add_argument("--model", default="selyne-tiny")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "detection-parts.json")
    arguments = parser.parse_args()
    known = read_json(arguments.output)["sets"] if arguments.output.exists() else {}
    sets = {name: found for name, found in known.items() if set(found["summary"]) == set(WORDS)}
    for name in arguments.sets:
        tests: dict[int, list[Features]] = {}
        splits = one_class_splits(name, arguments.data)
        runs = {split.normal: measure(split, arguments.model, arguments.seeds, tests) for split in splits}
        sets[name] = {"summary": summary(runs), "runs": runs, "seeds": arguments.seeds, **provenance()}
        command = "python benchmarks/detection_parts.py --data DIR"
        write_json(arguments.output, {"name": "detection-parts", "command": command, "words": WORDS, "sets": sets})
        print(name, {key: round(value["mean"], 4) for key, value in sets[name]["summary"].items()}, flush=True)


if __name__ == "__main__":
    main()
