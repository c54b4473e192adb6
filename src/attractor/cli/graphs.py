"""``attractor graphs``: tell the class of whole graphs, or find the odd ones; measure by cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attractor.cli.arguments import DATA, GRAPHS, find_graphs
from attractor.cli.fits import resumable
from attractor.cli.graphs_explain import explain
from attractor.cli.output import print_json, yes
from attractor.errors import InputError
from attractor.files import csv_text, read_json, write_text

if TYPE_CHECKING:
    from attractor.data.graphs.graph_set import GraphSet

app = typer.Typer(no_args_is_help=True, help="Tell the class of whole graphs, or find the odd ones.")
app.command()(explain)

CLASSES = ("graph", "class", "probability")
ANOMALIES = ("graph", "score", "p_value", "anomalous")
Row = dict[str, Any]

MEMBERS = typer.Option(1, min=1, help="Networks that answer together.")
AS_JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command()
def fit(
    graphs: str = GRAPHS,
    output: Path = typer.Option(..., "--output", "-o", help="Folder to write what is fitted to.", show_default=False),
    normal: str | None = typer.Option(None, help="Learn this class alone, to find the odd ones among others."),
    epochs: int | None = typer.Option(
        None, min=1, help="Epochs of training, by default 60, or with --normal as many as suit the number of graphs."
    ),
    members: int = MEMBERS,
    seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Seed of the held-out graphs and of training."),
    data: Path | None = DATA,
    resume: bool = typer.Option(False, help="Go on with an interrupted fit."),
) -> None:
    """Learn the classes of graphs, some of them held out to choose the epoch; or with --normal what is normal."""
    from attractor.tasks import GraphAnomalyDetector, GraphClassifier

    kind: Any = GraphClassifier if normal is None else GraphAnomalyDetector
    model = kind(members=members, seed=seed, **({} if epochs is None else {"epochs": epochs}))
    with resumable(output, resume):
        found = find_graphs(graphs, data)
        model.fit(found if normal is None else _of_class(found, normal), checkpoint=output, resume=resume)
        model.save(output)
    print(f"{output}: {_said(model)}")


def _of_class(graphs: GraphSet, name: str) -> GraphSet:
    names = [] if graphs.y is None else [str(value) for value in graphs.y.values]
    if graphs.y is None or name not in names:
        raise InputError(f"{graphs.name} has no class {name}; its classes are {', '.join(names) or 'not given'}")
    return graphs[graphs.y.codes == names.index(name)]


def _said(model: Any) -> str:
    if hasattr(model, "classes_"):
        return f"tells the classes {', '.join(map(str, model.classes_))} apart"
    rate = model.calibrator_.achievable_rate
    return f"flags scores above {model.threshold_:.6g} (at most {100 * rate:.2f} % of normal graphs)"


@app.command()
def score(
    model_dir: Path = typer.Argument(help="Folder that `attractor graphs fit` wrote.", show_default=False),
    graphs: str = GRAPHS,
    csv: Path | None = typer.Option(None, help="Write the rows to this CSV file too."),
    as_json: bool = AS_JSON,
    data: Path | None = DATA,
) -> None:
    """Score graphs: one row a graph, with its class and the probability of that, or score, p_value, anomalous."""
    model = _load(model_dir)
    classifies = hasattr(model, "classes_")
    rows = (_class_rows if classifies else _anomaly_rows)(model, find_graphs(graphs, data))
    header = CLASSES if classifies else ANOMALIES
    if csv:
        write_text(csv, csv_text(header, [[_word(row[name]) for name in header] for row in rows]))
    if not as_json:
        print(csv_text(header, [[_short(row[name]) for name in header] for row in rows]), end="")
    elif classifies:
        print_json({"classes": model.classes_.tolist(), "graphs": rows})
    else:
        flagged = sum(row["anomalous"] for row in rows)
        print_json({"threshold": model.threshold_, "anomalous": flagged, "graphs": rows})


def _load(folder: Path) -> Any:
    """The classifier or detector, whichever the folder says it is."""
    from attractor.models.hub import located
    from attractor.tasks import GraphAnomalyDetector, GraphClassifier
    from attractor.tasks.graphs.saved import DETECTOR

    folder = located(folder)
    config = read_json(folder / "config.json")
    odd = isinstance(config, dict) and config.get("task") == DETECTOR
    return (GraphAnomalyDetector if odd else GraphClassifier).load(folder)


def _class_rows(classifier: Any, graphs: GraphSet) -> list[Row]:
    names, p = classifier.classes_.tolist(), classifier.predict_proba(graphs)
    rows = zip(p.argmax(axis=1).tolist(), p.tolist(), strict=True)
    return [
        {"graph": n, "class": names[best], "probability": of[best], "probabilities": dict(zip(names, of, strict=True))}
        for n, (best, of) in enumerate(rows)
    ]


def _anomaly_rows(detector: Any, graphs: GraphSet) -> list[Row]:
    scores = detector.decision_function(graphs)
    columns = (scores, detector.calibrator_.p_value(scores), detector.calibrator_.is_anomalous(scores))
    rows = zip(range(len(scores)), *(column.tolist() for column in columns), strict=True)
    return [dict(zip(ANOMALIES, row, strict=True)) for row in rows]


def _word(value: Any) -> Any:
    return yes(value) if isinstance(value, bool) else value


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else _word(value)


@app.command()
def evaluate(
    graphs: str = GRAPHS,
    folds: int = typer.Option(10, min=2, help="Folds of the cross-validation."),
    first: int | None = typer.Option(None, min=1, help="Run only so many of the folds."),
    epochs: int = typer.Option(60, min=1, help="Epochs of training."),
    members: int = MEMBERS,
    protocol: str = typer.Option("held-out", help="held-out; or published, which scores graphs it trained on."),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Seed of the folds and of training."),
    splits: Path | None = typer.Option(None, help="Write the numbers of the graphs of every fold to this JSON file."),
    as_json: bool = AS_JSON,
    data: Path | None = DATA,
) -> None:
    """Accuracy by stratified cross-validation: the epoch from held-out training graphs, the test graphs scored once."""
    from attractor.tasks import evaluate_graphs

    settings = {"epochs": epochs, "members": members, "seed": seed}
    found = find_graphs(graphs, data)
    result = evaluate_graphs(found, folds, protocol=protocol, first=first, splits=splits, **settings)
    if as_json:
        print_json(result)
        return
    accuracy, run = result["accuracy"], f"{result['folds_done']} of {folds} folds"
    print(result["protocol"])
    print(f"accuracy {accuracy['mean']:.4f} ± {accuracy['std']:.4f}, mean and standard deviation of {run}")
