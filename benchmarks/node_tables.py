"""Tables of odd nodes and of attention along edges for docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cells import spread, table, threads

from attractor.files import read_json

NODES = {
    "amazon-upu": "Fraud among Amazon's reviewers, one relation of three",
    "tolokers": "Banned crowd workers (Tolokers)",
}
RIVALS = {
    "attractor": "**attractor**",
    "forest": "random forest on the features",
    "forest-neighbours": "random forest, also on neighbours' mean and degree",
    "gcn": "GCN",
    "sage": "GraphSAGE",
    "bwgnn": "BWGNN",
}


def tables(results: Path) -> list[str]:
    """All of them."""
    return [*(nodes(read_json(results / f"nodes-{name}.json")) for name in NODES), scale(results), edges(results)]


def nodes(found: dict[str, Any]) -> str:
    """Node anomaly detection: a row a method, at each share of training nodes AUC, average precision, macro-F1."""
    fractions = list(found["summary"])
    seeds = max(len(row["seeds"]) for rows in found["summary"].values() for row in rows.values())
    columns = [f"{name}, {100 * float(f):.0f} %" for f in fractions for name in ("AUC", "AP", "macro-F1")]
    lines = [
        f"**{NODES[found['name']]}.** By the published protocol, training on 1 % and 40 % of the labelled nodes: mean "
        f"± standard deviation of {seeds} splits, all test nodes (`benchmarks/nodes.py`). Every method takes settings, "
        "epoch and threshold from the same validation nodes.",
        "",
    ]
    cells = []
    for method, words in RIVALS.items():
        rows = [found["summary"][f][method] for f in fractions]
        values = [spread(row[name], len(row["seeds"]) > 1) for row in rows for name in ("auc", "ap", "macro_f1")]
        cells.append((words, *values))
    return "\n".join([*lines, *table(("method", *columns), cells)])


def scale(results: Path) -> str:
    """Time and memory of node anomaly detection against edges."""
    found = read_json(results / "nodes-scale.json")
    lines = [
        "**A graph of any size.** Generated graphs with power-law degrees, the last of T-Social's size: making it, one "
        "epoch of training on samples around 1 % of the nodes, with what validates and calibrates it, and exact "
        f"scores of all nodes, on {threads(found)} (`benchmarks/nodes_scale.py`).",
        "",
    ]
    rows = []
    for row in found["sizes"]:
        seconds = [f"{row['seconds'][name]:.1f}" for name in ("graph", "fit", "score")]
        numbers = [f"{row[name]:,}" for name in ("nodes", "edges", "largest_degree")]
        rows.append((*numbers, *seconds, f"{row['peak_gib']:.1f}"))
    memory, time = found["slopes"]["peak_gib"], found["slopes"]["score_seconds"]
    columns = ("nodes", "edges", "largest degree", "graph, s", "fit, s", "score, s", "peak memory, GiB")
    lines += [
        *table(columns, rows),
        "",
        f"In a straight line: {1e6 * time['per_edge']:.2f} s of scoring and {1024 * 1e6 * memory['per_edge']:.0f} MiB "
        f"for every million edges (r² {time['r_squared']:.3f} and {memory['r_squared']:.3f}).",
    ]
    return "\n".join(lines)


def edges(results: Path) -> str:
    """Attention along edges by three ways, in turns."""
    found = read_json(results / "edges.json")
    ways = {"threads": "compiled loops (ours)", "sparse": "torch's sparse products", "gather": "gather and scatter"}
    lines = [
        f"**Attention along edges.** One alignment of {found['heads']} heads of width {found['width']} on "
        f"{found['graph']} ({found['nodes']:,} nodes, {found['edges']:,} directed edges), float32, "
        f"{threads(found)}, in turns; ratios within a turn, median and range "
        "(`benchmarks/edges.py`). Torch's own backward of sparse products sorts the edges anew each time.",
        "",
    ]
    rows = []
    for way, words in ways.items():
        cells = []
        for pass_ in ("forward", "forward_backward"):
            row = found[pass_][way]
            ratio = row["times_threads"]
            cells += [f"{row['ms']:.0f} ms", f"{ratio['median']:.1f} ({ratio['low']:.1f} to {ratio['high']:.1f})"]
        rows.append((words, *cells, f"{row['peak_mb']:,.0f} MB"))
    ratio = "as many times ours"
    columns = ("way", "forward", ratio, "forward and backward", ratio, "its peak memory")
    return "\n".join([*lines, *table(columns, rows)])
