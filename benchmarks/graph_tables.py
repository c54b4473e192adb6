"""Tables of graph classification for docs/benchmarks.md: accuracy by two protocols, odd graphs."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

from cells import spread, table, threads

from attractor.files import read_json

SETS = ("MUTAG", "ENZYMES", "PROTEINS", "NCI1", "Mutagenicity", "DD")
METHODS = {
    "attractor": "**attractor**",
    "gin": "GIN",
    "gcn": "GCN",
    "forest": "random forest on graph statistics",
}


def tables(results: Path) -> list[str]:
    """All of them."""
    found = read(results)
    return [
        accuracy(found),
        protocols(found, read_json(results / "graphs-published.json")),
        odd(results),
        sizes(results),
    ]


def read(results: Path) -> dict[str, Any]:
    """What was measured of every set."""
    return {name: read_json(path) for name in SETS if (path := results / f"graphs-{name}.json").exists()}


def in_full(found: dict[str, Any]) -> dict[str, Any]:
    """The sets of which every method has done every fold."""
    return {name: result for name, result in found.items() if all(_whole(result["summary"].get(m)) for m in METHODS)}


def _whole(row: dict[str, Any] | None) -> bool:
    return row is not None and len(row["folds"]) == row["of"]


def accuracy(found: dict[str, Any]) -> str:
    """Cross-validation: a row a set, a column a method, and the mean over the sets that were done in full."""
    lines = [
        "**Classes of whole graphs.** Stratified 10-fold cross-validation; every method takes its epoch, and settings, "
        "by a tenth of the graphs outside the test fold, whose graphs are scored once (`benchmarks/graphs.py`). Two "
        "trainings a fold of every network: ours answers by the mean of both after at most 60 epochs, of the others "
        "the better of two settings counts, of at most 100. Accuracy, mean ± standard deviation over the folds done.",
        "",
    ]
    rows_of = []
    for name, result in found.items():
        rows = [result["summary"].get(method) for method in METHODS]
        done = {f"{len(row['folds'])} of {row['of']}" for row in rows if row}
        cells = [spread(row["accuracy"], len(row["folds"]) > 1) if row else "" for row in rows]
        rows_of.append((name, ", ".join(sorted(done)), *cells))
    whole = in_full(found)
    rows_of.append((f"mean of {', '.join(whole)}", "", *(f"{mean:.3f}" for mean in means(whole).values())))
    return "\n".join([*lines, *table(("set", "folds done", *METHODS.values()), rows_of)])


def means(found: dict[str, Any]) -> dict[str, float]:
    """Of every method over the sets."""
    return {m: mean(result["summary"][m]["accuracy"]["mean"] for result in found.values()) for m in METHODS}


def protocols(found: dict[str, Any], published: dict[str, Any]) -> str:
    """What the published protocol makes of the same network."""
    lines = [
        "**Two protocols, one network.** The released notebooks train on the whole set and then score some of it "
        "again, so that their accuracies say how well graphs are remembered. Ours by both protocols, beside the "
        "published figures: only the last two columns compare like with like, and only the first says what to expect "
        "of a new graph (`benchmarks/graphs_published.py`).",
        "",
    ]
    rows = []
    for name, row in published["sets"].items():
        held_out = found[name]["summary"]["attractor"]["accuracy"]
        rows.append((name, spread(held_out), spread(row["accuracy"], row["folds"] > 1), f"{row['published']:.3f}"))
    columns = (
        "set",
        "ours, test graphs held out",
        *(f"{who}, training graphs included" for who in ("ours", "published")),
    )
    return "\n".join([*lines, *table(columns, rows)])


def odd(results: Path) -> str:
    """One-class detection: each class in turn normal."""
    found = read_json(results / "graphs-oneclass.json")["summary"]
    words = {
        "attractor": "**attractor**",
        "mahalanobis_few": "Mahalanobis distance of counts and means",
        "mahalanobis_many": "Mahalanobis distance of all graph statistics",
        "neighbours_many": "five nearest neighbours by all graph statistics",
    }
    lines = [
        "**Odd graphs.** Each class in turn is normal; a detector sees nine tenths of its graphs and no other, and is "
        "tested on the rest and as many of other classes. AUROC, mean over the turns "
        "(`benchmarks/graphs_oneclass.py`).",
        "",
    ]
    rows = [(name, *(f"{methods[m]['auroc']['mean']:.3f}" for m in words)) for name, methods in found.items()]
    return "\n".join([*lines, *table(("set", *words.values()), rows)])


def sizes(results: Path) -> str:
    """What one large graph costs a batch."""
    found = read_json(results / "graph-sizes.json")
    lines = [
        "**One large graph among small ones.** Batches of 64 graphs, 63 of them of 30 to 50 nodes; four blocks of "
        f"width 128, float32, {threads(found)}; the cost follows the tokens there are, not the largest graph's "
        "(`benchmarks/graph_sizes.py`).",
        "",
    ]
    columns = {
        "nodes of the largest": "largest",
        "tokens": "tokens",
        "tokens if padded to the largest": "padded_tokens",
        "forward, ms": "forward_ms",
        "training step, ms": "train_ms",
        "memory of training beyond it, MB": "train_mb",
    }
    rows = [[f"{row[key]:,.0f}" for key in columns.values()] for row in found["sizes"]]
    return "\n".join([*lines, *table(columns, rows)])
