"""Graph classification on real sets: ours beside GIN, GCN and a random forest, as JSON under results/.

    python benchmarks/graphs.py ENZYMES --data DIR --methods gin gcn forest --folds 0 1 2

DIR holds ``ENZYMES.zip`` and so on, in the TU layout. One protocol for every method: stratified 10-fold
cross-validation; settings and epoch are taken by accuracy on a tenth of the graphs outside the test fold, then by
log-loss; the test fold is scored once.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from graphs_baselines import BASELINES, Predict, quality
from nodes import spread

from attractor.data.graphs.folds import folds
from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.set_reading import as_graph_set
from attractor.data.graphs.splits import Split
from attractor.files import read_json, write_json
from attractor.provenance import provenance
from attractor.tasks import GraphClassifier

FOLDS = 10
SETS = {
    "MUTAG": "188 nitroaromatic compounds, mutagenic or not; atoms and bonds are labelled",
    "ENZYMES": "600 proteins of the six top classes of enzymes; 18 attributes of every secondary-structure element",
    "PROTEINS": "1,113 proteins, enzymes or not; secondary-structure elements are labelled, one attribute",
    "NCI1": "4,110 compounds, active against non-small cell lung cancer or not; atoms are labelled",
    "Mutagenicity": "4,337 compounds, mutagenic or not; atoms and bonds are labelled",
    "DD": "1,178 proteins, enzymes or not; amino acids are labelled, the largest has 5,748",
}


def attractor(graphs: GraphSet, fold: Split, seed: int, epochs: int, **settings: Any) -> tuple[Predict, list[int]]:
    """Our classifier, as a user would call it."""
    classifier = GraphClassifier(seed=seed, epochs=epochs, **settings)
    classifier.fit(graphs, train=fold.train, validation=fold.validation)
    rows = classifier.history_
    best = [
        max((r for r in rows if r["member"] == m), key=lambda r: r["val_choice"]) for m in range(classifier.members)
    ]
    return lambda numbers: torch.from_numpy(classifier.predict_proba(graphs[numbers])), [r["epoch"] for r in best]


# Two trainings a fold for every network: ours answers by the mean of both, of the others the better setting is taken.
METHODS = {"attractor": (attractor, [{"members": 2}]), **BASELINES}
EPOCHS = {"attractor": 60, "gin": 100, "gcn": 100, "forest": 0}


def run(graphs: GraphSet, method: str, number: int, fold: Split, seed: int, epochs: int) -> dict[str, Any]:
    """Every setting on the same fold, and the test accuracy of the one that validation prefers."""
    function, choices = METHODS[method]
    started, tried = time.process_time(), []
    for settings in choices:
        predict, kept = function(graphs, fold, seed, epochs, **settings)
        tried.append((quality(predict(fold.validation), graphs.y.codes[fold.validation]), settings, kept, predict))
    (validation, _), settings, kept, predict = max(tried, key=lambda one: one[0])
    test, _ = quality(predict(fold.test), graphs.y.codes[fold.test])
    return {
        "method": method,
        "fold": number,
        "git_revision": provenance()["git_revision"],  # runs of one file may be of several commits
        "settings": settings,
        "epochs": epochs if kept else 0,
        "epochs_chosen": kept,
        "validation_accuracy": validation,
        "test_accuracy": test,
        "cpu_seconds": time.process_time() - started,
        "validation_accuracy_of_each": [one[0][0] for one in tried],
    }


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Per method: mean and standard deviation of the test accuracy over the folds done, mean CPU time of a fold."""
    table = {}
    for method in METHODS:
        if mine := [r for r in runs if r["method"] == method]:
            table[method] = {
                "accuracy": spread([r["test_accuracy"] for r in mine]),
                "folds": sorted(r["fold"] for r in mine),
                "of": FOLDS,
                "cpu_seconds": float(np.mean([r["cpu_seconds"] for r in mine])),
            }
    return table


def describe(name: str, seed: int, parts: list[Split], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The results file: summary first, then every run, then the folds."""
    return {
        "name": name,
        "graphs": SETS[name],
        "protocol": f"stratified {FOLDS}-fold cross-validation; of the graphs outside the test fold a tenth validates, "
        "the rest trains; settings and epoch by validation accuracy, then log-loss; the test fold is scored once",
        "command": f"python benchmarks/graphs.py {name} --data DIR --seed {seed}",
        "seed": seed,
        "settings_tried": {method: METHODS[method][1] for method in sorted({r["method"] for r in runs})},
        "summary": summarise(runs),
        **provenance(),
        "runs": runs,
        "splits": [{"validation": part.validation.tolist(), "test": part.test.tolist()} for part in parts],
    }


def main() -> None:
    """Parse, run what is missing, write after every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SETS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--folds", nargs="+", type=int, choices=range(FOLDS), default=list(range(FOLDS)))
    parser.add_argument("--epochs", type=int, help=f"of every method, by default {EPOCHS}")
    parser.add_argument("--seed", type=int, default=0, help="draws the folds and starts the methods")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    output = arguments.output or Path(__file__).parents[1] / "results" / f"graphs-{arguments.name}.json"
    graphs = as_graph_set(arguments.data / f"{arguments.name}.zip")
    parts = folds(graphs.y.codes, FOLDS, arguments.seed)
    before = read_json(output) if output.exists() else {"runs": [], "seed": arguments.seed}
    if before["seed"] != arguments.seed:
        parser.error(f"{output} holds runs of seed {before['seed']}; give another --output")
    runs = before["runs"]
    done = {(r["method"], r["fold"]) for r in runs}
    for number, method in product(arguments.folds, arguments.methods):
        if (method, number) not in done:
            epochs = arguments.epochs or EPOCHS[method]
            runs.append(run(graphs, method, number, parts[number], arguments.seed, epochs))
            write_json(output, describe(arguments.name, arguments.seed, parts, runs))
            print(
                method, number, {k: runs[-1][k] for k in ("test_accuracy", "epochs_chosen", "cpu_seconds")}, flush=True
            )


if __name__ == "__main__":
    main()
