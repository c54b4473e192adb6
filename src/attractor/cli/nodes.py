"""``attractor nodes``: find the odd nodes of a graph, from labels or from the graph alone; measure as published."""

from __future__ import annotations

import csv as csv_module
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from attractor.cli.arguments import DATA, GRAPH, find_graph
from attractor.cli.fits import resumable
from attractor.cli.nodes_explain import explain
from attractor.cli.output import print_json, yes
from attractor.files import replacing

app = typer.Typer(no_args_is_help=True, help="Find the odd nodes of a graph, from labels or from the graph alone.")
app.command()(explain)

HEADER = ("node", "score", "p_value", "anomalous")
Row = tuple[int | str, float, float, bool]

EPOCHS = typer.Option(None, min=1, help="Epochs of training, if not as many as suit the size of the graph.")
MEMBERS = typer.Option(3, min=1, help="Networks whose scores are averaged.")
RELATIONS = typer.Option("merged", help="Kinds of edges: merged, or separate, each with its own attention.")


@app.command()
def fit(
    graph: str = GRAPH,
    output: Path = typer.Option(..., "--output", "-o", help="Folder to write the detector to.", show_default=False),
    unlabelled: bool = typer.Option(False, help="Make no use of the labels that there are."),
    epochs: int | None = EPOCHS,
    members: int = MEMBERS,
    relations: str = RELATIONS,
    false_alarm_rate: float | None = typer.Option(None, help="Share of normal nodes that may be flagged."),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Seed of the split and of training."),
    data: Path | None = DATA,
    resume: bool = typer.Option(False, help="Go on with an interrupted fit."),
) -> None:
    """Learn from the labelled nodes, a third of them held out; without labels from features that are hidden."""
    from attractor.tasks import NodeAnomalyDetector

    detector = NodeAnomalyDetector(
        epochs=epochs, members=members, relations=relations, false_alarm_rate=false_alarm_rate, seed=seed
    )
    with resumable(output, resume):
        found = find_graph(graph, data)
        detector.fit(found, [-1] * found.nodes if unlabelled else None, checkpoint=output, resume=resume)
        detector.save(output)
    rate = f"at most {100 * detector.calibrator_.achievable_rate:.2f} % of normal nodes"
    rule = rate if _by_rate(detector) else "highest macro-F1 on validation nodes"
    print(f"{output}: flags scores above {detector.threshold_:.6g} ({rule})")


def _by_rate(detector: Any) -> bool:
    return not detector.supervised_ or detector.false_alarm_rate is not None


@app.command()
def score(
    model_dir: Path = typer.Argument(help="Folder that `attractor nodes fit` wrote.", show_default=False),
    graph: str = GRAPH,
    top: int | None = typer.Option(None, min=1, help="Print only so many nodes, the most anomalous first."),
    csv: Path | None = typer.Option(None, help="Write the rows of all nodes to this CSV file too."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    data: Path | None = DATA,
) -> None:
    """Score all nodes: one row a node, with its id or number, score, p_value, anomalous."""
    from attractor.tasks import NodeAnomalyDetector

    detector = NodeAnomalyDetector.load(model_dir)
    found = find_graph(graph, data)
    scores = detector.decision_function(found)
    p_values, anomalous = detector.calibrator_.p_value(scores), detector.is_anomalous(scores)
    columns = (found.ids or range(found.nodes), scores, p_values, anomalous)
    if csv:
        with replacing(csv) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            _write(file, ((n, s, p, yes(a)) for n, s, p, a in _rows(range(len(scores)), *columns)))
    rows = _rows(range(len(scores)) if top is None else (-scores).argsort(kind="stable")[:top].tolist(), *columns)
    if as_json:
        nodes = [dict(zip(HEADER, row, strict=True)) for row in rows]
        print_json({"threshold": detector.threshold_, "anomalous": int(anomalous.sum()), "nodes": nodes})
    else:
        _write(sys.stdout, ((n, f"{s:.6g}", f"{p:.4g}", yes(a)) for n, s, p, a in rows))


def _rows(nodes: Iterable[int], names: Any, scores: Any, p_values: Any, anomalous: Any) -> Iterator[Row]:
    """One at a time: there may be millions."""
    return ((names[node], float(scores[node]), float(p_values[node]), bool(anomalous[node])) for node in nodes)


def _write(file: Any, rows: Iterable[tuple[Any, ...]]) -> None:
    writer = csv_module.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)


@app.command()
def evaluate(
    graph: str = GRAPH,
    train_fraction: float = typer.Option(0.4, help="Share of the labelled nodes that train."),
    seeds: int = typer.Option(5, min=1, help="Splits, each with a network of its own: seeds 0, 1, ..."),
    epochs: int | None = EPOCHS,
    members: int = MEMBERS,
    relations: str = RELATIONS,
    data: Path | None = DATA,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Fit and test by the published protocol: epoch and threshold from validation, scores on all test nodes."""
    from attractor.tasks import evaluate_nodes

    settings = {"epochs": epochs, "members": members, "relations": relations}
    result = evaluate_nodes(find_graph(graph, data), train_fraction, range(seeds), **settings)
    if as_json:
        print_json(result)
        return
    sizes = result["nodes"]
    print(f"{sizes['train']} nodes train, {sizes['validation']} validate, {sizes['test']} test; seeds 0 to {seeds - 1}")
    for name, words in {"auc": "AUC", "ap": "average precision", "macro_f1": "macro-F1"}.items():
        print(f"{words:<18}{result[name]['mean']:.4f} ± {result[name]['std']:.4f}")
