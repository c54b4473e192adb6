"""Node anomaly detection on generated graphs up to T-Social's size: time and memory against edges.

    python benchmarks/nodes_scale.py

Every size runs in a process of its own: a graph with power-law degrees is made, a network is trained for one epoch on
samples around 1 % of the nodes, and all nodes are scored exactly. Memory is the highest of the process, everything in.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from processes import each_alone

from attractor.data.graphs.generated import power_law_graph
from attractor.data.graphs.splits import stratified_split
from attractor.files import write_json
from attractor.provenance import provenance
from attractor.scoring.thresholds import node_metrics
from attractor.tasks.nodes import NodeAnomalyDetector

NODES, EDGES, FEATURES = 5_781_065, 73_105_508, 10  # of T-Social
SIZES = (1_000_000, 3_000_000, 10_000_000, 30_000_000, EDGES)
TRAIN = 0.01
RESULT = Path(__file__).parents[1] / "results" / "nodes-scale.json"


def measure(edges: int) -> dict[str, Any]:
    """One size, in this process."""
    seconds, started = {}, time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        seconds[name], started = time.perf_counter() - started, time.perf_counter()

    graph = power_law_graph(round(edges * NODES / EDGES), edges, FEATURES)
    split = stratified_split(graph.y, TRAIN, seed=0)
    lap("graph")
    detector = NodeAnomalyDetector(sampling=True, epochs=1, members=1)
    detector.fit(graph, train=split.train, validation=split.validation)
    lap("fit")
    scores = detector.decision_function(graph)
    lap("score")
    return {
        "edges": edges,
        "nodes": graph.nodes,
        "training_nodes": len(split.train),
        "largest_degree": int(graph.edges()[0].degrees().max()),
        "seconds": seconds,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "test_auc": node_metrics(graph.y[split.test], scores[split.test], detector.threshold_)["auc"],
    }


def slope(rows: list[dict[str, Any]], figure: Any) -> dict[str, float]:
    """The straight line through a figure against edges, and how much of its variation the line explains."""
    edges, values = np.array([row["edges"] for row in rows]), np.array([figure(row) for row in rows])
    per_edge, start = np.polyfit(edges, values, 1)
    return {"per_edge": per_edge, "at_0": start, "r_squared": float(np.corrcoef(edges, values)[0, 1] ** 2)}


def main() -> None:
    """Run every size and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of edges")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    rows = each_alone(__file__, arguments.sizes)
    slopes = {
        "fit_seconds": slope(rows, lambda row: row["seconds"]["fit"]),
        "score_seconds": slope(rows, lambda row: row["seconds"]["score"]),
        "peak_gib": slope(rows, lambda row: row["peak_gib"]),
    }
    write_json(arguments.output, {"name": "nodes-scale", "slopes": slopes, **provenance(), "sizes": rows})


if __name__ == "__main__":
    main()
