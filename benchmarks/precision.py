"""What bfloat16 costs: every task in float32 and in bfloat16, side by side, as results/precision.json.

    python benchmarks/precision.py --images DIR --graphs DIR --inpainting DATA

``--images`` holds ``brain-mri``, ``--graphs`` holds ``MUTAG.zip``, ``--inpainting`` is Tiny ImageNet as a folder or an
archive. bfloat16 is autocast: the state, what is normalised and what is summed stay in float32. Beside each difference
stands the spread of the same figure over seeds: of splits, of networks and folds, of masks.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from attractor.data.graphs.folds import folds
from attractor.data.graphs.set_reading import as_graph_set
from attractor.data.sets.one_class import one_class_splits
from attractor.data.unlabelled import load_unlabelled
from attractor.files import json_text, write_json
from attractor.models import GraphET
from attractor.provenance import provenance
from attractor.tasks import AnomalyDetector, GraphClassifier, Inpainter, evaluate_images
from attractor.tasks.graphs import fitting

SEEDS = (0, 1, 2)
METHODS = ("combined", "knn", "mahalanobis")
IMAGES = 1000
PRECISIONS = ("float32", "bfloat16")


@contextmanager
def computed_in(precision: str) -> Iterator[None]:
    """What asks the machine, and graph networks, in one of the two."""
    bf16 = precision == "bfloat16"
    schedule = fitting.make_schedule
    logits = GraphET.forward

    def scheduled(*settings: Any) -> Any:
        return replace(schedule(*settings), precision="bf16" if bf16 else "fp32")

    def forward(self: GraphET, batch: Any) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return logits(self, batch).float()

    with (
        mock.patch("attractor.models.device.has_bf16", lambda device=None: bf16),
        mock.patch("attractor.tasks.graphs.classifier.make_schedule", scheduled),
        mock.patch.object(GraphET, "forward", forward),
    ):
        yield


def detection(data: Path) -> dict[str, Any]:
    """AUROC on brain slices, detector fitted and asked in one precision."""
    split = next(one_class_splits("brain-mri", data))
    runs: dict[str, list[dict[str, float]]] = {p: [] for p in PRECISIONS}
    for seed in SEEDS:
        for precision in PRECISIONS:
            with computed_in(precision):
                detector = AnomalyDetector(seed=seed).fit(split.train)
                found = evaluate_images(detector, split.test, split.normal, bootstrap=1, examples=False).metrics
            runs[precision].append({name: found[name]["auroc"] for name in METHODS})
            print("detection", seed, precision, runs[precision][-1], flush=True)
    return {name: compared([[run[name] for run in runs[p]] for p in PRECISIONS]) for name in METHODS}


def classification(data: Path) -> dict[str, Any]:
    """Accuracy on MUTAG's five test folds, network trained and asked in one precision."""
    graphs = as_graph_set(data / "MUTAG.zip")
    accuracies: dict[str, list[float]] = {p: [] for p in PRECISIONS}
    for seed in SEEDS:
        for precision in PRECISIONS:
            right = 0
            for fold in folds(graphs.y.codes, 5, seed):
                with computed_in(precision):
                    classifier = GraphClassifier(seed=seed).fit(graphs, train=fold.train, validation=fold.validation)
                    right += round(classifier.score(graphs[fold.test]) * len(fold.test))
            accuracies[precision].append(right / len(graphs))
            print("classification", seed, precision, accuracies[precision][-1], flush=True)
    return compared([accuracies[p] for p in PRECISIONS])


def inpainting(data: Path) -> dict[str, Any]:
    """PSNR on hidden pixels of the shipped model, of masks drawn by each seed."""
    inpainter = Inpainter("et-tiny")
    config = inpainter.ready().config
    images, _ = load_unlabelled(data, "val", config.image_size, config.channels, IMAGES)
    found: dict[str, Any] = {}
    for mask in ("random", "block"):
        values: list[list[float]] = [[], []]
        for seed, (row, precision) in product(SEEDS, zip(values, PRECISIONS, strict=True)):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                row.append(inpainter.score(images, None if mask == "random" else mask, seed=seed))
            print("inpainting", mask, seed, precision, row[-1], flush=True)
        found[mask] = compared(values)
    return found


def compared(values: list[list[float]]) -> dict[str, Any]:
    """Both, the mean of their differences seed by seed, and the spread of float32 over the seeds."""
    single, half = values
    return {
        **dict(zip(PRECISIONS, values, strict=True)),
        "difference": statistics.mean(b - a for a, b in zip(single, half, strict=True)),
        "spread_over_seeds": statistics.stdev(single),
    }


def main() -> None:
    """Measure what there are data for, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--graphs", type=Path, required=True)
    parser.add_argument("--inpainting", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "results" / "precision.json")
    given = parser.parse_args()
    result = {
        "name": "precision",
        "command": "python benchmarks/precision.py --images DIR --graphs DIR --inpainting DATA",
        "seeds": SEEDS,
        "classification": classification(given.graphs),
        "inpainting": inpainting(given.inpainting),
        "detection": detection(given.images),
    }
    write_json(given.output, {**result, **provenance()})
    print(json_text(result), end="")


if __name__ == "__main__":
    main()
