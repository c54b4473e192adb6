"""How well classes of graphs are told: cross-validation, and the published protocol, which scores training graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attractor.console import stderr
from attractor.data.graphs.folds import folds as stratified_folds
from attractor.data.graphs.folds import published_folds
from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.set_reading import as_graph_set
from attractor.data.graphs.splits import Split
from attractor.errors import InputError
from attractor.files import write_json
from attractor.tasks.graphs.classifier import GraphClassifier
from attractor.tasks.spread import spread

HELD_OUT, PUBLISHED = "held-out", "published"
INCLUDED = "training graphs included"
PROTOCOLS: dict[str, tuple[Callable[..., list[Split]], str]] = {
    HELD_OUT: (
        stratified_folds,
        "stratified {}-fold cross-validation, epoch chosen on held-out training graphs, test graphs scored once",
    ),
    PUBLISHED: (published_folds, f"published: {INCLUDED}"),
}


def evaluate_graphs(
    graphs: Any,
    folds: int = 10,
    *,
    protocol: str = HELD_OUT,
    first: int | None = None,
    seed: int = 0,
    splits: Path | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Fit and test a :class:`GraphClassifier` with these settings on so many ``folds``, or the ``first`` of them alone.

    ``protocol``: ``"held-out"`` by :func:`~attractor.data.graphs.folds.folds`, a fit a fold; or ``"published"`` by
    :func:`~attractor.data.graphs.folds.published_folds`, one fit on all graphs, some of which every fold scores. Folds
    and every fit start from the same ``seed``. ``splits`` is a JSON file for the numbers of the graphs of all parts.

    Gives ``accuracy`` (``mean``, ``std`` of the sample of folds, as published tables have it, and ``values``),
    ``epochs_chosen`` (a row a fold, of one number a member), ``protocol`` in words, ``training_graphs_included``,
    ``folds`` and ``folds_done``, ``seed``, ``graphs`` that have a class, ``classes`` and ``splits``. Raises
    :class:`InputError` on graphs without classes or too few of one, and on folds that there are not.
    """
    classifier = GraphClassifier(seed=seed, **settings)
    classifier._check_settings()
    graphs = as_graph_set(graphs)
    parts = _parts(graphs, protocol, folds, first, seed)
    numbers = [{name: part.tolist() for name, part in vars(fold).items()} for fold in parts]
    words = PROTOCOLS[protocol][1].format(folds)
    if splits is not None:  # before the work, which a file that cannot be written would waste
        write_json(splits, {"graphs": graphs.name, "protocol": words, "seed": seed, "splits": numbers})
    values, epochs = _accuracies(classifier, graphs, parts, protocol)
    return {
        "accuracy": spread(values),
        "epochs_chosen": epochs,
        "protocol": words,
        "training_graphs_included": protocol == PUBLISHED,
        "folds": folds,
        "folds_done": len(parts),
        "seed": seed,
        "graphs": int((graphs.y.codes >= 0).sum()),
        "classes": graphs.y.values,
        "splits": numbers,
    }


def _parts(graphs: GraphSet, protocol: str, folds: int, first: int | None, seed: int) -> list[Split]:
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol is {protocol!r}; choose one of {', '.join(PROTOCOLS)}")
    if graphs.y is None:
        raise InputError(f"{graphs.name} has no classes; an evaluation needs them")
    if first is not None and not 1 <= first <= folds:
        raise InputError(f"the first {first} of {folds} folds cannot be; ask for 1 to {folds}")
    return PROTOCOLS[protocol][0](graphs.y.codes, folds, seed)[:first]


def _accuracies(
    classifier: GraphClassifier, graphs: GraphSet, parts: list[Split], protocol: str
) -> tuple[list[float], list[list[int]]]:
    """Of every fold the accuracy on its test graphs, and the epochs chosen."""
    values, epochs = [], []
    for number, fold in enumerate(parts):
        if protocol == HELD_OUT or not number:  # the published folds all train alike
            classifier.fit(graphs, train=fold.train, validation=fold.validation)
        values.append(classifier.score(graphs[fold.test]))
        epochs.append(epochs_chosen(classifier))
        included = f", {INCLUDED}" if protocol == PUBLISHED else ""
        stderr.print(f"fold {number}: accuracy {values[-1]:.4f}{included}")
    return values, epochs


def epochs_chosen(classifier: GraphClassifier) -> list[int]:
    """The epoch, from 1, whose weights each network of a freshly fitted classifier has: the best, or else the last."""
    of_each = [[row for row in classifier.history_ if row["member"] == m] for m in range(classifier.members)]
    return [int(max(rows, key=lambda row: row.get("val_choice", row["epoch"]))["epoch"]) for rows in of_each]
