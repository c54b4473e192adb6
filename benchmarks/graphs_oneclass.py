"""One-class detection among graphs: ours beside plain statistics, as JSON under results/.

    python benchmarks/graphs_oneclass.py --data DIR

DIR holds ``MUTAG.zip`` and so on, in the TU layout. Each class in turn is normal: methods learn from nine tenths of its
graphs, and are tested on the last tenth and as many graphs of other classes, both drawn by the seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from graphs_statistics import degrees, graph_of_node, one_hot, statistics
from nodes import spread
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch_geometric.nn import global_mean_pool

from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.set_reading import as_graph_set
from attractor.files import read_json, write_json
from attractor.models.standardize import Standardize
from attractor.provenance import provenance
from attractor.scoring.gaussian import LatentGaussian
from attractor.scoring.neighbours import NearestNeighbours
from attractor.tasks import GraphAnomalyDetector

SEEDS = {"MUTAG": range(10), "PROTEINS": range(5), "ENZYMES": range(5)}  # a test of MUTAG has a dozen graphs
TEST = 0.1  # of the normal graphs
Statistics = Callable[[GraphSet, Tensor], Tensor]


def attractor(graphs: GraphSet, train: Tensor, test: Tensor, seed: int) -> NDArray[np.float64]:
    """Our detector, as a user would call it: a third of the training graphs calibrates it."""
    return GraphAnomalyDetector(seed=seed).fit(graphs[train]).decision_function(graphs[test])


def mahalanobis(statistics: Statistics, graphs: GraphSet, train: Tensor, test: Tensor, seed: int) -> NDArray:
    """Ledoit-Wolf Mahalanobis distance of plain statistics; nothing is held out."""
    x = statistics(graphs, train)
    gaussian = LatentGaussian(x.shape[1])
    gaussian.update(x[train])
    return gaussian.finish().score(x[test]).numpy()


def neighbours(statistics: Statistics, graphs: GraphSet, train: Tensor, test: Tensor, seed: int) -> NDArray:
    """Mean distance of plain statistics to the five nearest; nothing is held out."""
    x = statistics(graphs, train)
    return NearestNeighbours(metric="euclidean").fit(x[train]).score(x[test]).numpy()


def few(graphs: GraphSet, train: Tensor) -> Tensor:
    """Nodes, edges, and means over the nodes of degree, labels and attributes, ``(G, S)``."""
    labels = [one_hot(label.codes, len(label.values)) for label in graphs.node_labels]
    known = torch.cat([degrees(graphs).unsqueeze(1), *labels, graphs.x], dim=1)
    mean = global_mean_pool(known, graph_of_node(graphs), len(graphs))
    return torch.cat([torch.stack([graphs.sizes, graphs.edge_ptr.diff() / 2], dim=1), mean], dim=1)


def many(graphs: GraphSet, train: Tensor) -> Tensor:
    """Those of the random forest, in deviations from the mean of the graphs that train, ``(G, S)``."""
    x = statistics(graphs)
    return Standardize(x.shape[1]).fit(x[train])(x)


METHODS = {
    "attractor": attractor,
    "mahalanobis_few": partial(mahalanobis, few),
    "mahalanobis_many": partial(mahalanobis, many),
    "neighbours_many": partial(neighbours, many),
}


def turns(graphs: GraphSet, seed: int) -> Iterator[tuple[int | str, Tensor, Tensor, Tensor]]:
    """Of every class its name, and numbers of the graphs that train and of the normal and odd ones that test."""
    for code, name in enumerate(graphs.y.values):
        order = torch.randperm(len(graphs), generator=torch.Generator().manual_seed(1000 * seed + code))
        same = graphs.y.codes[order] == code
        normal, others = order[same], order[~same]
        count = round(TEST * len(normal))
        yield name, normal[count:].sort().values, normal[:count], others[:count]


def run(graphs: GraphSet, seed: int) -> list[dict[str, Any]]:
    """Every method in every turn."""
    rows = []
    for normal, train, inliers, outliers in turns(graphs, seed):
        test, odd = torch.cat([inliers, outliers]), [0] * len(inliers) + [1] * len(outliers)
        for method, function in METHODS.items():
            started = time.process_time()
            scores = function(graphs, train, test, seed)
            rows.append(
                {
                    "set": graphs.name,
                    "method": method,
                    "normal": normal,
                    "seed": seed,
                    "graphs": {"train": len(train), "normal": len(inliers), "odd": len(outliers)},
                    "auroc": float(roc_auc_score(odd, scores)),
                    "cpu_seconds": time.process_time() - started,
                }
            )
            print(*(rows[-1][k] for k in ("set", "normal", "seed", "method", "auroc")), flush=True)
    return rows


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Per set and method: mean AUROC of every turn, mean of those turns, mean CPU time."""
    table: dict[str, dict[str, Any]] = {}
    for name, method in product(SEEDS, METHODS):
        mine = [r for r in runs if (r["set"], r["method"]) == (name, method)]
        if mine:
            turn = {r["normal"]: [o["auroc"] for o in mine if o["normal"] == r["normal"]] for r in mine}
            table.setdefault(name, {})[method] = {
                "auroc": spread([float(np.mean(values)) for values in turn.values()]),
                "auroc_of_turns": {str(normal): spread(values) for normal, values in turn.items()},
                "seeds": sorted({r["seed"] for r in mine}),
                "cpu_seconds": float(np.mean([r["cpu_seconds"] for r in mine])),
            }
    return table


def describe(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The results file: summary first, then every run."""
    return {
        "name": "one-class detection among graphs",
        "protocol": "each class in turn is normal; methods learn from 90 % of its graphs without any class; tested on "
        "the other 10 % and as many graphs of other classes; AUROC, mean over the turns of means over the seeds",
        "command": "python benchmarks/graphs_oneclass.py --data DIR",
        "summary": summarise(runs),
        **provenance(),
        "runs": runs,
    }


def main() -> None:
    """Parse, run what is missing, write after every seed of a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "results" / "graphs-oneclass.json")
    arguments = parser.parse_args()
    runs = read_json(arguments.output)["runs"] if arguments.output.exists() else []
    done = {(r["set"], r["seed"]) for r in runs}
    for name, seeds in SEEDS.items():
        graphs = as_graph_set(arguments.data / f"{name}.zip")
        for seed in seeds:
            if (name, seed) not in done:
                runs += run(graphs, seed)
                write_json(arguments.output, describe(runs))


if __name__ == "__main__":
    main()
