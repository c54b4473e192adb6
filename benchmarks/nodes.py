"""Node anomaly detection on real graphs: ours beside forests and graph networks, as JSON under results/.

    python benchmarks/nodes.py amazon-upu --data DIR --methods forest gcn sage bwgnn --fractions 0.01 0.4

DIR holds ``amazon-upu.npz`` and ``tolokers.npz``. One protocol for every method: a seed draws the split and starts the
method; settings and threshold are taken by macro-F1 on the validation nodes, and so is the epoch, ours by its mean with
AUC; all test nodes are scored once.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from nodes_baselines import BASELINES
from numpy.typing import NDArray

from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.node_reading import as_node_graph
from attractor.data.graphs.splits import Split, stratified_split
from attractor.files import read_json, write_json
from attractor.provenance import provenance
from attractor.scoring.thresholds import best_threshold, node_metrics
from attractor.tasks.nodes import NodeAnomalyDetector

MEASURES = ("auc", "ap", "macro_f1")


def attractor_scores(graph: NodeGraph, split: Split, seed: int, **settings: Any) -> NDArray:
    """Our detector, as a user would call it."""
    detector = NodeAnomalyDetector(seed=seed, **settings)
    return detector.fit(graph, train=split.train, validation=split.validation).predict_proba(graph)[:, 1]


SETS = {
    "amazon-upu": "Amazon fraud, the U-P-U relation alone; only the labelled nodes are in loss and scores",
    "tolokers": "crowd workers, joined by common tasks; 22 % are banned",
}
METHODS = {"attractor": (attractor_scores, [{}]), **BASELINES}


def run(graph: NodeGraph, method: str, fraction: float, seed: int) -> dict[str, Any]:
    """Every setting on the same split, and the test scores of the one that validation prefers."""
    function, choices = METHODS[method]
    split, started = stratified_split(graph.y, fraction, seed), time.process_time()
    expected, tried = graph.y[split.validation], []
    for settings in choices:
        p = function(graph, split, seed, **settings)
        threshold = best_threshold(expected, p[split.validation])
        tried.append((node_metrics(expected, p[split.validation], threshold), threshold, settings, p))
    validation, threshold, settings, p = max(tried, key=lambda one: one[0]["macro_f1"])
    return {
        "method": method,
        "fraction": fraction,
        "seed": seed,
        "git_revision": provenance()["git_revision"],  # runs of one file may be of several commits
        "nodes": {name: len(part) for name, part in vars(split).items()},
        "settings": settings,
        "threshold": threshold,
        "validation": validation,
        "test": node_metrics(graph.y[split.test], p[split.test], threshold),
        "cpu_seconds": time.process_time() - started,
        "validation_macro_f1_of_each": [one[0]["macro_f1"] for one in tried],
    }


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Per fraction and method: mean and standard deviation over the seeds of every test measure, mean CPU time."""
    table: dict[str, dict[str, Any]] = {}
    for fraction, method in product(sorted({r["fraction"] for r in runs}), METHODS):
        mine = [r for r in runs if (r["fraction"], r["method"]) == (fraction, method)]
        if mine:
            row = {name: spread([r["test"][name] for r in mine]) for name in MEASURES}
            row["cpu_seconds"] = float(np.mean([r["cpu_seconds"] for r in mine]))
            row["seeds"] = sorted(r["seed"] for r in mine)
            table.setdefault(str(fraction), {})[method] = row
    return table


def spread(values: list[float]) -> dict[str, float]:
    """Mean and standard deviation."""
    return {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def describe(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The results file: summary first, then every run."""
    return {
        "name": name,
        "graph": SETS[name],
        "protocol": "stratified; the nodes that do not train are 33 % validation, 67 % test; settings and threshold "
        "by validation macro-F1, epoch by that too, of attractor by its mean with AUC; test on all test nodes",
        "command": f"python benchmarks/nodes.py {name} --data DIR",
        "settings_tried": {method: METHODS[method][1] for method in sorted({r["method"] for r in runs})},
        "summary": summarise(runs),
        **provenance(),
        "runs": runs,
    }


def main() -> None:
    """Parse, run what is missing, write after every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SETS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--fractions", nargs="+", type=float, default=[0.01, 0.4])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    output = arguments.output or Path(__file__).parents[1] / "results" / f"nodes-{arguments.name}.json"
    data = as_node_graph(arguments.data / f"{arguments.name}.npz")
    runs = read_json(output)["runs"] if output.exists() else []
    done = {(r["method"], r["fraction"], r["seed"]) for r in runs}
    for seed, fraction, method in product(arguments.seeds, arguments.fractions, arguments.methods):
        if (method, fraction, seed) not in done:
            runs.append(run(data, method, fraction, seed))
            write_json(output, describe(arguments.name, runs))
            print(method, fraction, seed, {name: round(runs[-1]["test"][name], 3) for name in MEASURES}, flush=True)


if __name__ == "__main__":
    main()
